"""Where the regions of one image come from: a method is called as `method(name) -> Found`."""
import os
from dataclasses import dataclass

import numpy as np

from mmssl_geo.datasets.coco_objects import read_coco_objects
from mmssl_geo.datasets.image_reading import UnreadableImage
from mmssl_geo.datasets.image_size import upright_size
from mmssl_geo.geometry import grid_boxes

from .filters import keep_regions, name_rng, whole_pixels


@dataclass(frozen=True)
class Found:
    """What was found out about one image.

    Attributes:
        size: `(height, width)` of the upright image; `(0, 0)` if it could not be read.
        boxes: `(n, 4)` whole source pixels, inside the image.
        relaxed: the limits were relaxed for it, see `RegionFilter`.
        outside: regions that reached out of the image by more than a pixel, and were clipped or dropped.
        problem: why it has no regions although it should; '' if nothing is wrong.
    """
    size: tuple
    boxes: np.ndarray
    relaxed: bool = False
    outside: int = 0
    problem: str = ''

    @classmethod
    def nothing(cls, problem):
        """An image that could not be dealt with."""
        return cls((0, 0), np.empty((0, 4), np.int64), problem=problem)


class GridMethod:
    """Random boxes on a 3 x 3 grid (`grid_boxes`), drawn from seed and name. Reads the images' headers only.

    Args:
        root: the image folder.
        limits: `RegionFilter`; its seed is the draw's.
    """

    def __init__(self, root, limits):
        self.root = root
        self.limits = limits

    def __call__(self, name):
        try:
            size = upright_size(os.path.join(self.root, name))
        except UnreadableImage as error:
            return Found.nothing(error.reason)
        drawn = grid_boxes(name_rng(self.limits.seed, f'grid {name}'), size)
        return _filtered(drawn, size, self.limits, name)


class AnnotationMethod:
    """The boxes of a COCO json, for upper bounds. Reads the images' headers, to know their size.

    An image whose json entry gives another size than the file has is a problem: its boxes lie in another frame.

    Args:
        root: the image folder.
        path: the json file; images are told by `file_name`.
        limits: `RegionFilter`.
        crowd: boxes of groups (`iscrowd`) count too.

    Raises:
        UserError: the file is missing or no COCO json.
    """

    def __init__(self, root, path, limits, crowd=False):
        self.root = root
        self.limits = limits
        self.entries = read_coco_objects(path, crowd)

    def __call__(self, name):
        try:
            size = upright_size(os.path.join(self.root, name))
        except UnreadableImage as error:
            return Found.nothing(error.reason)
        annotated, boxes, _ = self.entries.get(name, (None, np.empty((0, 4)), []))
        if annotated not in (None, size):
            return Found.nothing('the annotations are of an image of {} x {} pixels (height x width), the file has '
                                 '{} x {}'.format(*annotated, *size))
        return _filtered(boxes, size, self.limits, name)


def _filtered(boxes, size, limits, name):
    boxes, outside = whole_pixels(boxes, size)
    kept, relaxed = keep_regions(boxes, size, limits, name)
    return Found(size, kept, relaxed, outside)
