"""Regions of an image: read from a proposals file, or sampled on a grid."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.logging import print_log

from mmssl_geo.datasets.pipeline import Stage
from mmssl_geo.datasets.regions_file import RegionsFile, match_rows
from mmssl_geo.geometry import grid_boxes
from mmssl_geo.registry import TRANSFORMS
from mmssl_geo.utils.errors import UserError

from .random_streams import sample_rng


@TRANSFORMS.register_module()
class GridRegions(BaseTransform):
    """Random boxes, one in every cell of a grid, resampled in every epoch (`mmssl_geo.geometry.grid_boxes`).

    Required key: `img` (H, W, 3). Optional keys: `seed`, `epoch`, `sample_idx`.
    Added keys: `regions` in pixels of `img`, float32, shape (grid * grid, 4); `regions_fallback` (bool), False.

    Args:
        grid: Number of cells along either side.
        area: Smallest and largest area as a share of the image's, before clipping.
        aspect: Smallest and largest width / height in the image stretched to a square, before clipping.

    Raises:
        UserError: If a setting is impossible.
    """

    stage = Stage.REGIONS

    def __init__(
        self, grid: int = 3, area: tuple[float, float] = (0.12, 0.30), aspect: tuple[float, float] = (0.5, 2.0)
    ) -> None:
        self.options: dict[str, Any] = dict(grid=grid, area=area, aspect=aspect)
        try:
            grid_boxes(np.random.default_rng(0), **self.options)
        except (TypeError, ValueError) as error:
            raise UserError(f'GridRegions: {error}') from error

    def transform(self, results: dict) -> dict:
        boxes = grid_boxes(sample_rng(results, 'grid_regions'), results['img'].shape[:2], **self.options)
        results['regions'] = boxes.astype(np.float32)
        results['regions_fallback'] = False
        return results


@TRANSFORMS.register_module()
class LoadRegions(BaseTransform):
    """Proposals of the image from a file of `tools/make_proposals.py`.

    It runs before any step that changes the image's geometry. If the image has another size than the proposals were
    made for, but the same shape within a pixel (a resized copy of the data set), they are scaled with it; if it has
    another shape (cropped, or rotated), none of them is usable. They are clipped to the image, and those smaller than a
    pixel are dropped. An image without a usable region, or without an entry in the file, gets `GridRegions`.

    `ImageListDataset` calls `bind` when it is built, so a file that does not match the images is found before
    training: mismatches are counted and logged, with examples.

    Required keys: `img` (H, W, 3), `image_idx`. Optional keys: `seed`, `epoch`, `sample_idx`.
    Added keys: `regions` in pixels of `img`, float32, shape (N, 4), N >= 1; `regions_fallback` (bool): whether they are
    grid boxes.

    Args:
        file: Path of the proposals file.
        max_missing: Largest share of the images without an entry in the file.
        grid: Arguments of `GridRegions`, for images without regions.

    Raises:
        UserError: If the file is missing or damaged or, from `bind`, does not match the images.
    """

    stage = Stage.REGIONS

    def __init__(self, file: str, max_missing: float = 0.01, grid: dict[str, Any] | None = None) -> None:
        if not 0 <= max_missing <= 1:
            raise UserError(f'LoadRegions.max_missing is a share of the images, 0 to 1, got {max_missing}')
        self.file = RegionsFile(file)
        self.max_missing = max_missing
        self.grid = GridRegions(**(grid or {}))
        self.rows: np.ndarray | None = None

    def bind(self, names: Sequence[str]) -> None:
        """Finds the entry of every image.

        Args:
            names: Names of the images, relative to the image folder.

        Raises:
            UserError: If more than `max_missing` of them have no entry, or none has a region.
        """
        self.rows, mismatch = match_rows(self.file, names, self.max_missing)
        print_log(
            mismatch or f'the proposals file {self.file.path} has regions for all {len(names)} images',
            'current',
            logging.WARNING if mismatch else logging.INFO,
        )

    def transform(self, results: dict) -> dict:
        if self.rows is None:
            raise UserError(
                'LoadRegions has no image names yet: use it in the pipeline of ImageListDataset '
                '(not inside another step), or call its bind(names)'
            )
        boxes = self._load(int(self.rows[results['image_idx']]), results['img'].shape[:2])
        if len(boxes) == 0:
            return dict(self.grid(results), regions_fallback=True)
        results['regions'] = boxes
        results['regions_fallback'] = False
        return results

    def _load(self, row: int, size: tuple[int, int]) -> np.ndarray:
        if row < 0:
            return np.empty((0, 4), np.float32)
        boxes_src, source_size = self.file[row]
        return fit_regions(boxes_src, source_size, size)


def fit_regions(boxes_src: np.ndarray, source_size: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Maps boxes of a source image to an image of another size but the same shape, and clips them to it.

    Args:
        boxes_src: Boxes in source pixels, shape (N, 4).
        source_size: Height and width of the image that the boxes were made for.
        size: Height and width of the target image.

    Returns:
        Boxes of at least one pixel on either side, float32, shape (M, 4); none if the shapes differ by more than
        rounding.
    """
    if not min(source_size):  # the source image could not be read
        return np.empty((0, 4), np.float32)
    scale = np.divide(size, source_size)
    if abs(scale[0] - scale[1]) > 1 / min(source_size):  # a resized side is off by up to a pixel
        return np.empty((0, 4), np.float32)
    boxes = np.asarray(boxes_src, np.float64) * np.tile(scale[::-1], 2)
    boxes = boxes.clip(0, np.tile(size[::-1], 2))
    return boxes[(boxes[:, 2:] - boxes[:, :2] >= 1).all(axis=1)].astype(np.float32)
