"""Geometry of views: pure functions on tensors (on numpy arrays for single images), free of OpenMMLab.

Boxes are half-open and continuous, `x1, y1, x2, y2`. Sizes are `(height, width)`. `turns` is a number of
counter-clockwise quarter turns, as in `torch.rot90(x, turns, (-2, -1))`. Maps have the shape (B, C, H, W). A suffix
names the frame of a coordinate: `_src` pixels of the source image, `_view` pixels of a view, `_feat` feature cells.
"""

from .boxes import PairBoxes, intersect_boxes, pair_boxes, rescale_boxes, rotate_boxes
from .crops import CropGroup, sample_crops
from .grid_regions import grid_boxes
from .points import cell_centres, source_to_view, view_to_source
from .pooling import pool_boxes, pool_boxes_of_maps
from .region_cutout import RegionHoles, box_cells, clip_boxes, region_cutout, token_cutout
from .region_shift import mix_background, region_mask, sample_window, shift_array, shift_boxes, shift_range
from .turns import rotate_maps, turned_size

__all__ = [
    'CropGroup',
    'PairBoxes',
    'RegionHoles',
    'box_cells',
    'cell_centres',
    'clip_boxes',
    'grid_boxes',
    'intersect_boxes',
    'mix_background',
    'pair_boxes',
    'pool_boxes',
    'pool_boxes_of_maps',
    'region_cutout',
    'region_mask',
    'rescale_boxes',
    'rotate_boxes',
    'rotate_maps',
    'sample_crops',
    'sample_window',
    'shift_array',
    'shift_boxes',
    'shift_range',
    'source_to_view',
    'token_cutout',
    'turned_size',
    'view_to_source',
]
