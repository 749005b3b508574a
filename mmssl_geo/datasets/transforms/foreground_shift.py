"""The regions of an image, moved together, without their surroundings."""
from mmcv.transforms import BaseTransform

from mmssl_geo.datasets.pipeline import Stage
from mmssl_geo.geometry import region_mask, shift_array, shift_boxes, shift_range
from mmssl_geo.registry import TRANSFORMS

from .region_keys import IMAGENET_MEAN, fill, get_regions, set_regions
from .view_random import sample_rng


@TRANSFORMS.register_module()
class ForegroundShift(BaseTransform):
    """Moves all regions by one common translation that keeps them inside, and drops the rest (D3SSL).

    The translation is drawn uniformly from whole pixels, so that the content moves exactly. Where the regions fill the
    image from border to border along an axis, it is 0 along it. What is dropped is filled; a data preprocessor may
    paste the foreground over another image (`mmssl_geo.geometry.mix_background`).

    Required keys: `img` (H, W, 3), the regions; optional key: `holes` (H, W) bool of a cutout before this step.
    Modified keys: `img`, the regions, `holes` (they move along).
    Added keys: `foreground` (H, W) bool, True where the moved regions show; `shift`, whole pixels `(dx, dy)`.

    Args:
        see_through: the background shows through the holes, as in D3SSL's figure; else holes stay as they are filled.
        colour: of what is dropped, in the channel order of `img`.
        regions_key: key of the regions, boxes `(K, 4)` in pixels of `img`.
    """
    stage = Stage.SURROUNDINGS

    def __init__(self, see_through=True, colour=IMAGENET_MEAN, regions_key='regions'):
        self.see_through = see_through
        self.colour = colour
        self.regions_key = regions_key

    def transform(self, results):
        size = results['img'].shape[:2]
        boxes = get_regions(results, self.regions_key, 'ForegroundShift')
        lowest, highest = shift_range(boxes, size)
        rng = sample_rng(results, 'foreground_shift')
        shift = tuple(rng.integers(lowest, highest, endpoint=True).tolist())
        foreground = region_mask(boxes, size)
        if self.see_through and 'holes' in results:
            foreground &= ~results['holes']
        for key, outside in (('img', self.colour), ('holes', False)):
            if key in results:
                results[key] = shift_array(results[key], shift, outside)
        results['foreground'] = shift_array(foreground, shift, False)
        results['img'] = fill(results['img'], ~results['foreground'], self.colour)
        set_regions(results, self.regions_key, shift_boxes(boxes, shift, size))
        results['shift'] = shift
        return results
