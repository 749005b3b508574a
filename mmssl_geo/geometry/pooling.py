"""Pooling of boxes out of feature maps."""

import math

import torch
from torch import Tensor
from torchvision.ops import roi_align

from mmssl_geo.utils.tensors import at_least_float32


def pool_boxes(maps: Tensor, boxes_feat: Tensor, map_index: Tensor, output_size: int | tuple[int, int]) -> Tensor:
    """Pools boxes out of feature maps with aligned RoIAlign and adaptive sampling.

    Half-precision maps are pooled in float32, under autocast too.

    Args:
        maps: Feature maps, shape (M, C, H, W).
        boxes_feat: Boxes in feature cells (view pixels divided by the patch size), shape (K, 4).
        map_index: Index of the map each box belongs to, shape (K,).
        output_size: Height and width of the pooled patch, in cells.

    Returns:
        Pooled patches, shape (K, C, height, width).
    """
    with torch.autocast(maps.device.type, enabled=False):
        maps = at_least_float32(maps)
        rois = torch.cat([map_index.unsqueeze(1).to(maps.dtype), boxes_feat.to(maps.dtype)], dim=1)
        return roi_align(maps, rois, output_size, spatial_scale=1.0, sampling_ratio=-1, aligned=True)


def pool_boxes_of_maps(maps: Tensor, boxes_feat: Tensor, output_size: int) -> Tensor:
    """Pools the same number of boxes out of every map, as `pool_boxes` but as one matrix product.

    RoIAlign is linear in the map and separable, so a patch is a small matrix times the cells of the map. Forward and
    backward are then dense products: several times faster on a CPU than torchvision's loops, and on a GPU without the
    atomic additions that make its backward slow and not reproducible in the last digit.

    Args:
        maps: Square feature maps, shape (M, C, S, S); fastest in channels-last memory format, as the networks return
            them.
        boxes_feat: Boxes in feature cells, each inside its map, shape (M, R, 4).
        output_size: Side of the pooled patches, in cells.

    Returns:
        Pooled patches of at least float32 with channels last in memory, shape (M, R, C, output_size, output_size).

    Raises:
        ValueError: If the maps are not square.
    """
    if maps.shape[-2] != maps.shape[-1]:
        raise ValueError(f'pool_boxes_of_maps expects square maps, got {maps.shape[-2]} x {maps.shape[-1]}')
    with torch.autocast(maps.device.type, enabled=False):
        maps = at_least_float32(maps)
        along_x, along_y = _sampling_weights(boxes_feat.to(maps.dtype), maps.shape[-1], output_size).unbind(2)
        weights = along_y[:, :, :, None, :, None] * along_x[:, :, None, :, None, :]  # M, R, s, s, S, S
        cells = torch.bmm(weights.flatten(4).flatten(1, 3), maps.flatten(2).transpose(1, 2))
        return cells.unflatten(1, (-1, output_size, output_size)).permute(0, 1, 4, 2, 3)


def _sampling_weights(boxes_feat: Tensor, side: int, count: int) -> Tensor:
    """Returns the weight of each of `side` cells in each of `count` parts of a box, along x and along y.

    A part is the mean of `ceil(extent / count)` evenly spaced samples, each interpolated between two cell centres.

    Returns:
        Weights, shape (M, R, 2, count, side).
    """
    start, end = boxes_feat.unflatten(-1, (2, 2, 1, 1)).unbind(2)  # M, R, 2, 1, 1
    step = (end - start) / count
    num_samples = step.ceil()  # 0 for a box of no extent, whose patch is then 0
    part, sample, cell = (
        torch.arange(length, device=start.device, dtype=start.dtype)
        for length in (count, math.ceil(side / count) + 1, side)  # + 1: rounding of the extent
    )
    divisor = num_samples.clamp(min=1)
    at = (start + step * (part.unsqueeze(-1) + (sample + 0.5) / divisor) - 0.5).clamp(0, side - 1)
    share = (1 - (at.unsqueeze(-1) - cell).abs()).clamp(min=0)  # M, R, 2, count, samples, side
    return (share * (sample < num_samples).unsqueeze(-1)).sum(dim=-2) / divisor
