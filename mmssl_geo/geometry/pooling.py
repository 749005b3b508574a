"""Pooling of boxes out of feature maps."""
import math

import torch
from torchvision.ops import roi_align


def pool_boxes(maps, boxes_feat, map_index, output_size):
    """Aligned RoI pooling: RoIAlign with half-pixel correction and adaptive sampling.

    Half-precision maps are pooled in float32 (autocast or not); float32 and float64 stay as they are.

    Args:
        maps: `(M, C, H, W)`.
        boxes_feat: `(K, 4)` boxes in feature cells (view pixels divided by the patch size).
        map_index: `(K,)` integers, the map that each box belongs to.
        output_size: int or `(height, width)`, cells of each pooled patch.

    Returns:
        `(K, C, height, width)`.
    """
    with torch.autocast(maps.device.type, enabled=False):
        if maps.dtype in (torch.float16, torch.bfloat16):
            maps = maps.float()
        rois = torch.cat([map_index.unsqueeze(1).to(maps.dtype), boxes_feat.to(maps.dtype)], dim=1)
        return roi_align(maps, rois, output_size, spatial_scale=1.0, sampling_ratio=-1, aligned=True)


def pool_boxes_of_maps(maps, boxes_feat, output_size):
    """The values of `pool_boxes` for as many boxes of every map, as one matrix product.

    RoIAlign is linear in the map and separable, so a patch is a small matrix times the map's cells. Forward and
    backward are then dense products: several times faster on a CPU than torchvision's loops, and without the atomic
    additions that make its backward on a GPU slow and random in the last digit (our choice).

    Args:
        maps: `(M, C, S, S)`; fastest where channels are the last in memory, as the nets leave them.
        boxes_feat: `(M, R, 4)` boxes in feature cells, each inside its map.
        output_size: cells of a side of the pooled patches.

    Returns:
        `(M, R, C, output_size, output_size)`, at least float32, channels last in memory.

    Raises:
        ValueError: if the maps are not square.
    """
    if maps.shape[-2] != maps.shape[-1]:
        raise ValueError(f'boxes of many maps are pooled from square maps, not {maps.shape[-2]} x {maps.shape[-1]}')
    with torch.autocast(maps.device.type, enabled=False):
        maps = maps.to(torch.promote_types(maps.dtype, torch.float32))
        along_x, along_y = _sampling_weights(boxes_feat.to(maps.dtype), maps.shape[-1], output_size).unbind(2)
        weights = along_y[:, :, :, None, :, None] * along_x[:, :, None, :, None, :]  # M, R, s, s, S, S
        cells = torch.bmm(weights.flatten(4).flatten(1, 3), maps.flatten(2).transpose(1, 2))
        return cells.unflatten(1, (-1, output_size, output_size)).permute(0, 1, 4, 2, 3)


def _sampling_weights(boxes_feat, side, count):
    """How much each of `side` cells adds to each of `count` parts of a box, `(M, R, 2, count, side)`: along x and y.

    A part is the mean of `ceil(extent / count)` evenly spaced samples, each interpolated between two centres of cells.
    """
    start, end = boxes_feat.unflatten(-1, (2, 2, 1, 1)).unbind(2)  # M, R, 2, 1, 1
    step = (end - start) / count
    num_samples = step.ceil()  # 0 for a box of no extent, whose patch is 0 then
    part, sample, cell = (torch.arange(length, device=start.device, dtype=start.dtype)
                          for length in (count, math.ceil(side / count) + 1, side))  # + 1: rounding of the extent
    divisor = num_samples.clamp(min=1)
    at = (start + step * (part.unsqueeze(-1) + (sample + 0.5) / divisor) - 0.5).clamp(0, side - 1)
    share = (1 - (at.unsqueeze(-1) - cell).abs()).clamp(min=0)  # M, R, 2, count, samples, side
    return (share * (sample < num_samples).unsqueeze(-1)).sum(dim=-2) / divisor
