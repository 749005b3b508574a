"""Pooling of boxes out of feature maps."""
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
