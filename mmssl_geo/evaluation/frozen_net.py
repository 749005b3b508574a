"""A backbone at rest, and its features of views."""
import copy
import math

import torch
from mmpretrain.models import VisionTransformer

from mmssl_geo.evaluation.geometry.views import MEAN, STD
from mmssl_geo.utils.errors import UserError

STEM_STRIDE = 4  # of a ResNet


def frozen_copy(backbone, output='map'):
    """A copy of a backbone in evaluation mode; the backbone itself stays as it is.

    Args:
        backbone: mmpretrain's ResNet or VisionTransformer, or a net of ours made of one.
        output: 'map' for maps `(B, C, h, w)` of the last stage or of the patches, 'cls' for [CLS] `(B, C)`.

    Raises:
        UserError: there is no [CLS].
    """
    net = copy.deepcopy(backbone).requires_grad_(False)
    if isinstance(net, VisionTransformer):
        net.out_type = dict(map='featmap', cls='cls_token')[output]
    elif output == 'cls':
        raise UserError(f'a {type(net).__name__} has no [CLS]: take the mean of its map (pool mean)')
    net.eval()  # mmpretrain's backbones return nothing here
    return net


def check_size(net, size):
    """Raises UserError unless views of `size` pixels are cut into a whole number of the net's cells."""
    is_vit = isinstance(net, VisionTransformer)
    stride = net.patch_embed.projection.stride[0] if is_vit else STEM_STRIDE * math.prod(net.strides)
    if size % stride:
        raise UserError(f'views of {size} px are not cut into cells of {stride} px: take a size that is a multiple')


@torch.no_grad()
def run_frozen(net, views):
    """What the net gives for views `(B, 3, S, S)` uint8, normalised by ImageNet's mean and deviation.

    Raises:
        UserError: it is not finite.
    """
    device = next(net.parameters()).device
    mean, std = (torch.tensor(values, device=device).view(3, 1, 1) for values in (MEAN, STD))
    output = net((views.to(device).float() - mean) / std)[-1]
    if not torch.isfinite(output).all():
        raise UserError('the features hold NaN or infinite values: the training broke down; take an earlier checkpoint')
    return output
