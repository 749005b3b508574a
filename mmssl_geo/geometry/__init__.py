"""Geometry of views: pure functions on tensors, free of OpenMMLab.

Boxes are half-open, continuous `x1, y1, x2, y2`; sizes are `(height, width)`; a turn counts counter-clockwise
quarter turns as `torch.rot90(x, turn, (-2, -1))` makes them; maps are `B, C, H, W`.
"""
from .boxes import PairBoxes, intersect_boxes, pair_boxes, rescale_boxes, rotate_boxes
from .crops import CropGroup, sample_crops
from .pooling import pool_boxes
from .turns import rotate_maps, turned_size

__all__ = [
    'CropGroup', 'PairBoxes', 'intersect_boxes', 'pair_boxes', 'pool_boxes', 'rescale_boxes', 'rotate_boxes',
    'rotate_maps', 'sample_crops', 'turned_size'
]
