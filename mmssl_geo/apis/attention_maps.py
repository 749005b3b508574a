"""Attention of a vision transformer: which patches [CLS], or the patch at a point, attends to."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmssl_geo.utils.constants import IMAGENET_MEAN, IMAGENET_STD
from mmssl_geo.utils.errors import UserError


def attention_maps(
    net: Any,  # noqa: ANN401  (a ViT)
    images: Tensor,
    points: Sequence[tuple[float, float]] = (),
    block: int = -1,
) -> Tensor:
    """Computes the attention of one block for [CLS] and for the patches at some points.

        net = get_model('work_dirs/gtsa/epoch_100.pth')
        cls_maps = attention_maps(net, images)[:, 0]          # (B, heads, h, w)

    Attention is the softmax over all tokens; the maps hold the patches' part, so that a map adds up to 1 minus the
    attention to [CLS]. It is computed from the queries and keys of the block, because fused kernels do not return it.

    Args:
        net: A ViT from `get_model`, or mmpretrain's.
        images: Normalised images of any size, shape (B, 3, H, W); sides that are not a multiple of the patch size are
            padded at the right and at the bottom.
        points: x, y of points in pixels of the images.
        block: Index of the block; negative ones count from the last.

    Returns:
        Shape (B, Q, heads, h, w), on the device of the images: [CLS] first, if the net has it, then the points.

    Raises:
        UserError: If the net is not a ViT, has no such block, or a point lies outside the images.
    """
    layers = getattr(net, 'layers', None)
    if layers is None or not hasattr(layers[0], 'attn'):
        raise UserError(f'attention maps need a vision transformer, got a {type(net).__name__}')
    if not -len(layers) <= block < len(layers):
        raise UserError(f'block {block}: the network has {len(layers)} blocks, 0 to {len(layers) - 1}')
    num_extra = net.num_extra_tokens
    stride = patch_size(net)
    height, width = (-(-side // stride) for side in images.shape[-2:])
    queries = list(range(num_extra)) + [
        num_extra + _patch_at(point, images.shape[-2:], stride, width) for point in points
    ]
    if not queries:
        raise UserError('the network has no [CLS]: give points')
    attention = layers[block].attn
    inputs: list[Tensor] = []
    hook = attention.register_forward_pre_hook(lambda module, arguments: inputs.append(arguments[0]))
    try:
        with torch.no_grad():
            net(images)
            weights = _weights(attention, inputs[0], queries)
    finally:
        hook.remove()
    return weights[..., num_extra:].unflatten(-1, (height, width)).transpose(1, 2)


def patch_size(net: Any) -> int:  # noqa: ANN401  (a ViT)
    """Returns the side of a patch of a ViT in pixels."""
    return int(net.patch_embed.projection.stride[0])


def normalised(image: NDArray[np.uint8]) -> Tensor:
    """Converts an RGB image (H, W, 3) to the input of a network, shape (1, 3, H, W)."""
    pixels = torch.from_numpy(np.asarray(image, np.float32))
    return ((pixels - torch.tensor(IMAGENET_MEAN)) / torch.tensor(IMAGENET_STD)).permute(2, 0, 1)[None]


def _patch_at(point: tuple[float, float], size: Sequence[int], stride: int, columns: int) -> int:
    x, y = point
    if not (0 <= x < size[1] and 0 <= y < size[0]):
        raise UserError(f'point {x:g}, {y:g} lies outside the image, which has width {size[1]} and height {size[0]}')
    return int(y // stride) * columns + int(x // stride)


def _weights(attention: Any, tokens: Tensor, queries: Sequence[int]) -> Tensor:  # noqa: ANN401  (a class of mmpretrain)
    """Returns the attention of some tokens (B, N, C) to all: shape (B, heads, Q, N)."""
    qkv = attention.qkv(tokens).unflatten(-1, (3, attention.num_heads, -1))
    query, key = qkv[:, list(queries), 0].transpose(1, 2), qkv[:, :, 1].transpose(1, 2)
    scores = query.float() @ key.float().transpose(-2, -1) / query.shape[-1] ** 0.5
    return scores.softmax(dim=-1)
