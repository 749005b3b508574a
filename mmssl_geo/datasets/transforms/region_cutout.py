"""Region collaborative cutout, of pixels and of tokens."""
import numpy as np
from mmcv.transforms import BaseTransform

from mmssl_geo.datasets.pipeline import Stage
from mmssl_geo.geometry import region_cutout, token_cutout
from mmssl_geo.registry import TRANSFORMS
from mmssl_geo.utils.errors import UserError

from .region_keys import IMAGENET_MEAN, check_range, fill, get_regions
from .view_random import sample_rng


@TRANSFORMS.register_module()
class RegionCutout(BaseTransform):
    """Fills a rectangle in every region; regions collaborate where they overlap (D3SSL, its figure).

    The bound that every region's hole obeys is that of `mmssl_geo.geometry.region_cutout`.

    Required keys: `img` (H, W, 3), the regions. Modified key: `img`.
    Added keys: `holes` (H, W) bool, `region_shares` (K,) float32, the cut share of every region in the end.

    Args:
        share: smallest and largest cut share of a region (read off the figure for the large view).
        aspect_jitter: a hole's aspect is its region's times at most 1 + x, or divided by it (our choice).
        colour: of the holes, in the channel order of `img`.
        regions_key: key of the regions, boxes `(K, 4)` in pixels of `img`, e.g. 'gt_bboxes' in mmdet.

    Raises:
        UserError: if a setting is impossible.
    """
    stage = Stage.CUTOUT

    def __init__(self, share=(0.3, 0.45), aspect_jitter=0.25, colour=IMAGENET_MEAN, regions_key='regions'):
        check_range('RegionCutout', 'share', share, 0, 1)
        if aspect_jitter < 0:
            raise UserError(f'RegionCutout.aspect_jitter must not be negative, got {aspect_jitter}')
        self.share = share
        self.aspect_jitter = aspect_jitter
        self.colour = colour
        self.regions_key = regions_key

    def transform(self, results):
        boxes = get_regions(results, self.regions_key, 'RegionCutout')
        rng = sample_rng(results, 'region_cutout')
        cut = region_cutout(boxes, self.share, results['img'].shape[:2], rng, self.aspect_jitter)
        results['img'] = fill(results['img'], cut.holes, self.colour)
        results['holes'], results['region_shares'] = cut.holes, cut.shares
        return results


@TRANSFORMS.register_module()
class TokenCutout(BaseTransform):
    """Marks the tokens of a rectangle in every region; the image stays (RCC, official code of 2024).

    Required keys: `img` (H, W, 3), the regions.
    Added keys: `token_holes` (h, w) bool, `token_shares` (K,) float32, the cut share of every region in the end.

    Args:
        grid: `(h, w)`, the tokens of the image.
        share: smallest and largest cut share; one draw for all regions of the image.
        prob: how often anything is cut.
        regions_key: key of the regions, boxes `(K, 4)` in pixels of `img`.

    Raises:
        UserError: if a setting is impossible.
    """
    stage = Stage.CUTOUT

    def __init__(self, grid=(14, 14), share=(0.2, 0.6), prob=0.5, regions_key='regions'):
        check_range('TokenCutout', 'share', share, 0, 1)
        self.grid = tuple(grid)
        self.share = share
        self.prob = prob
        self.regions_key = regions_key

    def transform(self, results):
        boxes = get_regions(results, self.regions_key, 'TokenCutout')
        rng = sample_rng(results, 'token_cutout')
        share = rng.uniform(*self.share) if rng.random() < self.prob else 0.
        cells_per_pixel = np.divide(self.grid, results['img'].shape[:2])[::-1]
        cut = token_cutout(boxes * np.tile(cells_per_pixel, 2), share, self.grid, rng)
        results['token_holes'], results['token_shares'] = cut.holes, cut.shares
        return results
