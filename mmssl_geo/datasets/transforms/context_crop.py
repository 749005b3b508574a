"""Crop of the surroundings that keeps the image's size and spares the regions."""
import numpy as np
from mmcv.transforms import BaseTransform

from mmssl_geo.datasets.pipeline import Stage
from mmssl_geo.geometry import region_mask, sample_window
from mmssl_geo.registry import TRANSFORMS
from mmssl_geo.utils.errors import UserError

from .region_keys import IMAGENET_MEAN, check_range, fill, get_regions
from .view_random import sample_rng


@TRANSFORMS.register_module()
class ContextCrop(BaseTransform):
    """Fills everything outside one random rectangle and outside the regions (D3SSL, its figure).

    Required keys: `img` (H, W, 3), the regions. Modified key: `img`.
    Added key: `context_mask` (H, W) bool, True where the surroundings are filled.

    Args:
        scale: smallest and largest area of the rectangle as a share of the image's (our choice); its sides' shares
            are drawn alike, whatever the image's shape.
        colour: of what is filled, in the channel order of `img`.
        regions_key: key of the regions, boxes `(K, 4)` in pixels of `img`.

    Raises:
        UserError: if a setting is impossible.
    """
    stage = Stage.SURROUNDINGS

    def __init__(self, scale=(0.3, 0.8), colour=IMAGENET_MEAN, regions_key='regions'):
        check_range('ContextCrop', 'scale', scale, 0, 1)
        if scale[0] == 0:
            raise UserError('ContextCrop.scale must be more than 0')
        self.scale = scale
        self.colour = colour
        self.regions_key = regions_key

    def transform(self, results):
        size = results['img'].shape[:2]
        boxes = get_regions(results, self.regions_key, 'ContextCrop')
        x1, y1, x2, y2 = sample_window(size, self.scale, sample_rng(results, 'context_crop'))
        outside = np.ones(size, dtype=bool)
        outside[y1:y2, x1:x2] = False
        results['context_mask'] = outside & ~region_mask(boxes, size)
        results['img'] = fill(results['img'], results['context_mask'], self.colour)
        return results
