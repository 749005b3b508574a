"""Boxes relative to the sides of their image."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

NO_BOXES = np.empty((0, 4))


def relative_boxes(boxes_src: ArrayLike, source_size: Sequence[int], size: Sequence[int]) -> np.ndarray:
    """Scales boxes to the range 0 to 1 of the image's sides and clips them.

    Args:
        boxes_src: Boxes in pixels of the image they were annotated in, shape (N, 4), xyxy.
        source_size: Height and width of the annotated image.
        size: Height and width of the image that was read.

    Returns:
        Boxes, shape (N, 4), float64; none if the two images have different aspect ratios.
    """
    if not min(source_size) or abs(size[0] / source_size[0] - size[1] / source_size[1]) > 1 / min(source_size):
        return NO_BOXES
    return (np.asarray(boxes_src, np.float64) / np.tile(source_size[::-1], 2)).clip(0, 1)


def large_enough(boxes: np.ndarray, min_side: float, max_side: float = np.inf) -> np.ndarray:
    """Returns a mask, shape (N,), of the boxes, shape (N, 4), whose sides are all in the given range."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return ((sides >= min_side) & (sides <= max_side)).all(axis=1)
