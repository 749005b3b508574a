"""Sources of the regions of one image; a method is called as `method(name) -> Proposals`."""

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmssl_geo.datasets.coco_objects import read_coco_objects
from mmssl_geo.datasets.image_reading import UnreadableImage, upright_size
from mmssl_geo.geometry import grid_boxes

from .filters import RegionFilter, keep_regions, name_rng, whole_pixels


@dataclass(frozen=True)
class Proposals:
    """Proposals of one image.

    Attributes:
        size: Height and width of the upright image; (0, 0) if it cannot be read.
        boxes: Boxes inside the image in whole source pixels, shape (n, 4).
        relaxed: Whether the limits were relaxed, see `RegionFilter`.
        outside: Number of regions that extended beyond the image by more than one pixel.
        problem: Why the image has no regions; '' without a problem.
    """

    size: tuple[int, int]
    boxes: NDArray
    relaxed: bool = False
    outside: int = 0
    problem: str = ''

    @classmethod
    def failed(cls, problem: str) -> 'Proposals':
        """Returns the empty proposals of an image that could not be processed."""
        return cls((0, 0), np.empty((0, 4), np.int64), problem=problem)


class GridMethod:
    """Random boxes on a 3 x 3 grid (`grid_boxes`), sampled by seed and name. Reads only the headers of the images.

    Args:
        root: Image folder.
        limits: Limits on the regions; their seed is the seed of the sampling.
    """

    def __init__(self, root: str, limits: RegionFilter) -> None:
        self.root = root
        self.limits = limits

    def __call__(self, name: str) -> Proposals:
        try:
            size = upright_size(os.path.join(self.root, name))
        except UnreadableImage as error:
            return Proposals.failed(error.reason)
        drawn = grid_boxes(name_rng(self.limits.seed, f'grid {name}'), size)
        return _filtered(drawn, size, self.limits, name)


class AnnotationMethod:
    """The boxes of a COCO json, for upper bounds. Reads only the headers of the images.

    An image whose size differs from its json entry is a problem, because its boxes are in another frame.

    Args:
        root: Image folder.
        path: The json file; `file_name` identifies the images.
        limits: Limits on the regions.
        crowd: Whether to use boxes of groups (`iscrowd`) too.

    Raises:
        UserError: If the file is missing or not a COCO json.
    """

    def __init__(self, root: str, path: str, limits: RegionFilter, crowd: bool = False) -> None:
        self.root = root
        self.limits = limits
        self.entries = read_coco_objects(path, crowd)

    def __call__(self, name: str) -> Proposals:
        try:
            size = upright_size(os.path.join(self.root, name))
        except UnreadableImage as error:
            return Proposals.failed(error.reason)
        annotated, boxes, _ = self.entries.get(name, (None, np.empty((0, 4)), []))
        if annotated not in (None, size):
            return Proposals.failed(
                'the annotations are for an image of {} x {} pixels (height x width), the file has {} x {}'.format(
                    *annotated, *size
                )
            )
        return _filtered(boxes, size, self.limits, name)


def _filtered(boxes: NDArray, size: tuple[int, int], limits: RegionFilter, name: str) -> Proposals:
    boxes, outside = whole_pixels(boxes, size)
    kept, relaxed = keep_regions(boxes, size, limits, name)
    return Proposals(size, kept, relaxed, outside)
