"""Regions of an image: read from a proposals file, or drawn on a grid."""
import logging

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.logging import print_log

from mmssl_geo.datasets.pipeline import Stage
from mmssl_geo.datasets.region_matching import match_rows
from mmssl_geo.datasets.regions_file import RegionsFile
from mmssl_geo.geometry import grid_boxes
from mmssl_geo.registry import TRANSFORMS
from mmssl_geo.utils.errors import UserError

from .view_random import sample_rng


@TRANSFORMS.register_module()
class GridRegions(BaseTransform):
    """Random boxes, one in every cell of a grid, drawn anew in every epoch (`mmssl_geo.geometry.grid_boxes`).

    Required key: `img` (H, W, 3). Used if there: `seed`, `epoch`, `sample_idx`.
    Added keys: `regions` (grid * grid, 4) float32 in pixels of `img`; `regions_fallback` (bool), False.

    Args:
        grid: cells along either side.
        area: smallest and largest area as a share of the image's, before clipping.
        aspect: smallest and largest width / height in the image stretched to a square, before clipping.

    Raises:
        UserError: if a setting is impossible.
    """
    stage = Stage.REGIONS

    def __init__(self, grid=3, area=(0.12, 0.30), aspect=(0.5, 2.0)):
        self.options = dict(grid=grid, area=area, aspect=aspect)
        try:
            grid_boxes(np.random.default_rng(0), **self.options)
        except (TypeError, ValueError) as error:
            raise UserError(f'GridRegions: {error}') from error

    def transform(self, results):
        boxes = grid_boxes(sample_rng(results, 'grid_regions'), results['img'].shape[:2], **self.options)
        results['regions'] = boxes.astype(np.float32)
        results['regions_fallback'] = False
        return results


@TRANSFORMS.register_module()
class LoadRegions(BaseTransform):
    """Proposals of the image from a file of `tools/make_proposals.py`.

    It comes before any step that changes the image's geometry. If the image has another size than the proposals
    were made for, but the same shape within a pixel (a resized copy of the data set), they are scaled with it; if its
    shape is another (cropped, or turned), none of them is usable. They are clipped to the image, and those with less
    than a pixel left drop out. An image without a usable region, or without an entry in the file, gets `GridRegions`.

    `ImageListDataset` calls `bind` when it is built, so a file that does not match the images is found before
    training: what does not match is counted and logged, with examples.

    Required keys: `img` (H, W, 3), `image_idx`. Used if there: `seed`, `epoch`, `sample_idx`.
    Added keys: `regions` (N, 4) float32 in pixels of `img`, N >= 1; `regions_fallback` (bool): they are grid boxes.

    Args:
        file: path of the proposals file.
        max_missing: share of the images that may have no entry in it.
        grid: arguments of `GridRegions`, for images without regions.

    Raises:
        UserError: the file is missing or damaged; from `bind`: it does not match the images.
    """
    stage = Stage.REGIONS

    def __init__(self, file, max_missing=0.01, grid=None):
        if not 0 <= max_missing <= 1:
            raise UserError(f'LoadRegions.max_missing is a share of the images, 0 to 1, got {max_missing}')
        self.file = RegionsFile(file)
        self.max_missing = max_missing
        self.grid = GridRegions(**(grid or {}))
        self.rows = None

    def bind(self, names):
        """Finds the entry of every image.

        Args:
            names: the data set's image names, relative to its image folder.

        Raises:
            UserError: more than `max_missing` of them have no entry, or none has a region.
        """
        self.rows, mismatch = match_rows(self.file, names, self.max_missing)
        print_log(mismatch or f'the proposals file {self.file.path} has regions for all {len(names)} images',
                  'current', logging.WARNING if mismatch else logging.INFO)

    def transform(self, results):
        if self.rows is None:
            raise UserError('LoadRegions does not know the images yet: use it in the pipeline of ImageListDataset '
                            '(not inside another step), or call its bind(names)')
        boxes = self._load(int(self.rows[results['image_idx']]), results['img'].shape[:2])
        if len(boxes) == 0:
            return dict(self.grid(results), regions_fallback=True)
        results['regions'] = boxes
        results['regions_fallback'] = False
        return results

    def _load(self, row, size):
        if row < 0:
            return np.empty((0, 4), np.float32)
        boxes_src, source_size = self.file[row]
        return fit_regions(boxes_src, source_size, size)


def fit_regions(boxes_src, source_size, size):
    """Boxes of a source image in an image of another size but the same shape, clipped to it.

    Args:
        boxes_src: `(N, 4)` in source pixels.
        source_size: `(height, width)` of the image that they were made for.
        size: `(height, width)` of the image at hand.

    Returns:
        `(M, 4)` float32 boxes of at least one pixel on either side; none if the shapes differ by more than rounding.
    """
    if not min(source_size):  # it could not be read then
        return np.empty((0, 4), np.float32)
    scale = np.divide(size, source_size)
    if abs(scale[0] - scale[1]) > 1 / min(source_size):  # a resized side is off by up to a pixel
        return np.empty((0, 4), np.float32)
    boxes = np.asarray(boxes_src, np.float64) * np.tile(scale[::-1], 2)
    boxes = boxes.clip(0, np.tile(size[::-1], 2))
    return boxes[(boxes[:, 2:] - boxes[:, :2] >= 1).all(axis=1)].astype(np.float32)
