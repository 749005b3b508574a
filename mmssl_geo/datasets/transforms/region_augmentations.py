"""Augmentations of the regions of an image and of their surroundings."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from mmssl_geo.datasets.pipeline import Stage
from mmssl_geo.geometry import (
    region_cutout,
    region_mask,
    sample_window,
    shift_array,
    shift_boxes,
    shift_range,
    token_cutout,
)
from mmssl_geo.registry import TRANSFORMS
from mmssl_geo.utils.checks import check_counts, check_fractions
from mmssl_geo.utils.errors import UserError

from .random_streams import sample_rng
from .region_utils import FILL_COLOUR, check_range, fill, get_regions, set_regions


@TRANSFORMS.register_module()
class RegionCutout(BaseTransform):
    """Fills a rectangle in every region; regions collaborate where they overlap (D3SSL, its figure).

    Every hole obeys the bound of `mmssl_geo.geometry.region_cutout`.

    Required keys: `img` (H, W, 3), the regions. Modified key: `img`.
    Added keys: `holes`, bool, shape (H, W); `region_shares`, the cut share of every region in the end, float32,
    shape (K,).

    Args:
        share: Smallest and largest cut share of a region (read off the figure for the large view).
        aspect_jitter: A hole's aspect is its region's times at most 1 + x, or divided by it (our choice).
        colour: Colour of the holes, in the channel order of `img`.
        regions_key: Key of the regions, boxes in pixels of `img`, shape (K, 4), such as 'gt_bboxes' in mmdet.

    Raises:
        UserError: If a setting is impossible.
    """

    stage = Stage.CUTOUT

    def __init__(
        self,
        share: tuple[float, float] = (0.3, 0.45),
        aspect_jitter: float = 0.25,
        colour: Sequence[int] = FILL_COLOUR,
        regions_key: str = 'regions',
    ) -> None:
        check_range('RegionCutout', 'share', share, 0, 1)
        if aspect_jitter < 0:
            raise UserError(f'RegionCutout.aspect_jitter must not be negative, got {aspect_jitter}')
        self.share = share
        self.aspect_jitter = aspect_jitter
        self.colour = colour
        self.regions_key = regions_key

    def transform(self, results: dict) -> dict:
        boxes = get_regions(results, self.regions_key, 'RegionCutout')
        rng = sample_rng(results, 'region_cutout')
        cut = region_cutout(boxes, self.share, results['img'].shape[:2], rng, self.aspect_jitter)
        results['img'] = fill(results['img'], cut.holes, self.colour)
        results['holes'], results['region_shares'] = cut.holes, cut.shares
        return results


@TRANSFORMS.register_module()
class TokenCutout(BaseTransform):
    """Marks the tokens of a rectangle in every region and leaves the image as it is (RCC, official code of 2024).

    Required keys: `img` (H, W, 3), the regions.
    Added keys: `token_holes`, bool, shape (h, w); `token_shares`, the cut share of every region in the end, float32,
    shape (K,).

    Args:
        grid: Height and width of the image in tokens.
        share: Smallest and largest cut share; sampled once for all regions of the image.
        prob: Probability that anything is cut.
        regions_key: Key of the regions, boxes in pixels of `img`, shape (K, 4).

    Raises:
        UserError: If a setting is impossible.
    """

    stage = Stage.CUTOUT

    def __init__(
        self,
        grid: tuple[int, int] = (14, 14),
        share: tuple[float, float] = (0.2, 0.6),
        prob: float = 0.5,
        regions_key: str = 'regions',
    ) -> None:
        check_range('TokenCutout', 'share', share, 0, 1)
        check_fractions('TokenCutout', prob=prob)
        for cells in grid:
            check_counts('TokenCutout', grid=cells)
        self.grid = (grid[0], grid[1])
        self.share = share
        self.prob = prob
        self.regions_key = regions_key

    def transform(self, results: dict) -> dict:
        boxes = get_regions(results, self.regions_key, 'TokenCutout')
        rng = sample_rng(results, 'token_cutout')
        share = rng.uniform(*self.share) if rng.random() < self.prob else 0.0
        cells_per_pixel = np.divide(self.grid, results['img'].shape[:2])[::-1]
        cut = token_cutout(boxes * np.tile(cells_per_pixel, 2), share, self.grid, rng)
        results['token_holes'], results['token_shares'] = cut.holes, cut.shares
        return results


@TRANSFORMS.register_module()
class ContextCrop(BaseTransform):
    """Fills everything outside one random rectangle and outside the regions; the image keeps its size (D3SSL's figure).

    Required keys: `img` (H, W, 3), the regions. Modified key: `img`.
    Added key: `context_mask`, True where the surroundings are filled, bool, shape (H, W).

    Args:
        scale: Smallest and largest area of the rectangle as a share of the image's (our choice). The shares of its
            sides are sampled independently of the image's shape.
        colour: Colour of what is filled, in the channel order of `img`.
        regions_key: Key of the regions, boxes in pixels of `img`, shape (K, 4).

    Raises:
        UserError: If a setting is impossible.
    """

    stage = Stage.SURROUNDINGS

    def __init__(
        self, scale: tuple[float, float] = (0.3, 0.8), colour: Sequence[int] = FILL_COLOUR, regions_key: str = 'regions'
    ) -> None:
        check_range('ContextCrop', 'scale', scale, 0, 1)
        if scale[0] == 0:
            raise UserError('ContextCrop.scale must be more than 0')
        self.scale = scale
        self.colour = colour
        self.regions_key = regions_key

    def transform(self, results: dict) -> dict:
        size = results['img'].shape[:2]
        boxes = get_regions(results, self.regions_key, 'ContextCrop')
        x1, y1, x2, y2 = sample_window(size, self.scale, sample_rng(results, 'context_crop'))
        outside = np.ones(size, dtype=bool)
        outside[y1:y2, x1:x2] = False
        results['context_mask'] = outside & ~region_mask(boxes, size)
        results['img'] = fill(results['img'], results['context_mask'], self.colour)
        return results


@TRANSFORMS.register_module()
class ForegroundShift(BaseTransform):
    """Moves all regions by one common translation that keeps them inside, and drops their surroundings (D3SSL).

    The translation is sampled uniformly from whole pixels, so the content moves exactly. Along an axis that the
    regions fill it is 0. What is dropped is filled; a data preprocessor may paste the foreground over
    another image (`mmssl_geo.geometry.mix_background`).

    Required keys: `img` (H, W, 3), the regions. Optional key: `holes` of an earlier cutout, bool, shape (H, W).
    Modified keys: `img`, the regions, `holes` (they move along).
    Added keys: `foreground`, True where the moved regions show, bool, shape (H, W); `shift`, whole pixels (dx, dy).

    Args:
        see_through: Whether the background shows through the holes, as in D3SSL's figure; otherwise they stay filled.
        colour: Colour of what is dropped, in the channel order of `img`.
        regions_key: Key of the regions, boxes in pixels of `img`, shape (K, 4).
    """

    stage = Stage.SURROUNDINGS

    def __init__(
        self, see_through: bool = True, colour: Sequence[int] = FILL_COLOUR, regions_key: str = 'regions'
    ) -> None:
        self.see_through = see_through
        self.colour = colour
        self.regions_key = regions_key

    def transform(self, results: dict) -> dict:
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
