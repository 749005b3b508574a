"""Geometry of views: pure functions on tensors (regions of single images: numpy arrays), free of OpenMMLab.

Boxes are half-open, continuous `x1, y1, x2, y2`; sizes are `(height, width)`; a turn counts counter-clockwise
quarter turns as `torch.rot90(x, turn, (-2, -1))` makes them; maps are `B, C, H, W`.
"""
from .boxes import PairBoxes, intersect_boxes, pair_boxes, rescale_boxes, rotate_boxes
from .crops import CropGroup, sample_crops
from .grid_regions import grid_boxes
from .points import cell_centres, source_to_view, view_to_source
from .pooling import pool_boxes, pool_boxes_of_maps
from .region_cutout import RegionHoles, box_cells, clip_boxes, region_cutout, token_cutout
from .region_shift import draw_window, mix_background, region_mask, shift_array, shift_boxes, shift_range
from .turns import rotate_maps, turned_size

__all__ = [
    'CropGroup', 'PairBoxes', 'RegionHoles', 'box_cells', 'cell_centres', 'clip_boxes', 'draw_window', 'grid_boxes',
    'intersect_boxes', 'mix_background', 'pair_boxes', 'pool_boxes', 'pool_boxes_of_maps', 'region_cutout',
    'region_mask', 'rescale_boxes', 'rotate_boxes', 'rotate_maps', 'sample_crops', 'shift_array', 'shift_boxes',
    'shift_range', 'source_to_view', 'token_cutout', 'turned_size', 'view_to_source'
]
