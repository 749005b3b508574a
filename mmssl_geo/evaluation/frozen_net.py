"""Frozen backbones and their features of uint8 views."""

import copy
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from mmssl_geo.models.backbones.base import has_cls_token
from mmssl_geo.utils.constants import IMAGENET_MEAN, IMAGENET_STD
from mmssl_geo.utils.errors import UserError

Extractor = Callable[[Tensor], Tensor]
"""Computes feature maps, shape (B, C, h, w), of normalised images, shape (B, 3, S, S)."""

OnViews = Callable[[int], object]
"""Receives the number of views after each batch."""

Output = Literal['map', 'cls']


def ignore_progress(num_views: int) -> None:
    """Does nothing; the default of `OnViews` arguments."""


def frozen_copy(backbone: nn.Module, output: Output = 'map') -> nn.Module:
    """Copies a backbone and puts the copy into evaluation mode without gradients.

    Args:
        backbone: ResNet or VisionTransformer of mmpretrain, or a subclass; it is not changed.
        output: 'map' for feature maps, shape (B, C, h, w), of the last stage or block; 'cls' for the [CLS] token,
            shape (B, C).

    Raises:
        UserError: If the backbone has no [CLS] token.
    """
    if output == 'cls' and not has_cls_token(backbone):
        raise UserError(f'{type(backbone).__name__} has no [CLS] token: use the mean of its feature map (pool mean)')
    net: Any = copy.deepcopy(backbone).requires_grad_(False)  # mmpretrain has no types
    if hasattr(net, 'out_type'):  # only vision transformers have it
        net.out_type = {'map': 'featmap', 'cls': 'cls_token'}[output]
    net.eval()  # mmpretrain's `train` and `eval` return None
    return net


def check_view_size(size: int, stride: int) -> None:
    """Raises a `UserError` unless views of `size` pixels divide into cells of `stride` pixels."""
    if size % stride:
        raise UserError(f'views of {size} px do not divide into cells of {stride} px: use a multiple of {stride}')


def normalise(views: Tensor) -> Tensor:
    """Normalises uint8 views, shape (B, 3, H, W), by the mean and standard deviation of ImageNet."""
    mean, std = (torch.tensor(values, device=views.device).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (views.float() - mean) / std


def check_finite(features: Tensor) -> None:
    """Raises a `UserError` if features are NaN or infinite."""
    if not torch.isfinite(features).all():
        raise UserError('the features contain NaN or infinite values: training has diverged, use an earlier checkpoint')


@torch.no_grad()
def run_frozen(net: nn.Module, views: Tensor) -> Tensor:
    """Computes the last output of a net for views on any device.

    Args:
        net: A frozen net; its device is used.
        views: Views, shape (B, 3, H, W), uint8.

    Raises:
        UserError: If the output is not finite.
    """
    device = next(net.parameters()).device
    output = net(normalise(views.to(device)))[-1]
    check_finite(output)
    return output


def extract_maps(
    extractor: Extractor, views: Tensor, batch_size: int = 32, on_views: OnViews = ignore_progress
) -> Tensor:
    """Computes square feature maps of views in batches.

    Args:
        extractor: Computes the maps.
        views: Views, shape (N, 3, S, S), uint8.
        batch_size: Views per batch.
        on_views: Called with the number of views after each batch.

    Returns:
        Feature maps on the CPU, shape (N, C, h, w).

    Raises:
        UserError: If the maps are not square, have fewer than 2 x 2 cells, or are not finite.
    """
    parts = []
    for batch in views.split(batch_size):
        maps = extractor(normalise(batch)).cpu()
        height, width = maps.shape[-2:]
        if height != width or height < 2:
            raise UserError(
                f'the feature maps of the views have {height} x {width} cells, but square maps of at least '
                '2 x 2 cells are needed: increase --size'
            )
        check_finite(maps)
        parts.append(maps)
        on_views(len(batch))
    return torch.cat(parts)
