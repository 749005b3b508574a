"""Regions of an image, their surroundings, and a common shift of all regions."""

import math

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from .region_cutout import Size, box_cells, clip_boxes


def region_mask(boxes: ArrayLike, size: Size) -> np.ndarray:
    """Marks the pixels whose centres lie in one of the boxes.

    Args:
        boxes: Boxes in pixels, shape (K, 4).
        size: Height and width of the image.

    Returns:
        Mask, bool, shape (H, W).
    """
    mask = np.zeros(size, dtype=bool)
    for x1, y1, x2, y2 in box_cells(boxes, size).tolist():
        mask[y1:y2, x1:x2] = True
    return mask


def shift_range(boxes: ArrayLike, size: Size) -> np.ndarray:
    """Computes the translations by whole pixels that keep every box within the image.

    Boxes are clipped to the image first; those of no extent are ignored.

    Args:
        boxes: Boxes in pixels, shape (K, 4).
        size: Height and width of the image.

    Returns:
        `[[min_dx, min_dy], [max_dx, max_dy]]`, integers, both ends included; minima <= 0 <= maxima. All are 0 along an
        axis that the boxes fill, and without boxes.
    """
    boxes = clip_boxes(boxes, size)
    boxes = boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]
    if len(boxes) == 0:
        return np.zeros((2, 2), dtype=int)
    lowest = -np.floor(boxes[:, :2].min(axis=0))
    highest = np.floor(np.array(size[::-1]) - boxes[:, 2:].max(axis=0))
    return np.stack([lowest, highest]).astype(int)


def shift_boxes(boxes: ArrayLike, shift: tuple[int, int], size: Size) -> np.ndarray:
    """Clips boxes to the image, moves them, and clips them again (which only changes boxes of no extent).

    Args:
        boxes: Boxes in pixels, shape (K, 4).
        shift: Translation (dx, dy) in pixels.
        size: Height and width of the image.
    """
    return clip_boxes(clip_boxes(boxes, size) + np.tile(shift, 2), size)


def shift_array(array: np.ndarray, shift: tuple[int, int], fill: ArrayLike) -> np.ndarray:
    """Moves an image or mask.

    Args:
        array: Image or mask, shape (H, W, ...).
        shift: Translation (dx, dy) in whole pixels.
        fill: Value of the pixels that enter from outside.
    """
    height, width = array.shape[:2]
    dx, dy = (int(np.clip(step, -side, side)) for step, side in zip(shift, (width, height), strict=True))
    moved = np.empty_like(array)
    moved[:] = fill
    moved[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)] = array[
        max(-dy, 0) : height - max(dy, 0), max(-dx, 0) : width - max(dx, 0)
    ]
    return moved


def sample_window(size: Size, scale: tuple[float, float], rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Samples a rectangle of whole pixels by its share of the image's area and by its shares of the image's sides.

    Args:
        size: Height and width of the image.
        scale: Smallest and largest share of the area, in (0, 1].
        rng: Source of all randomness.

    Returns:
        `(x1, y1, x2, y2)`, at least one pixel on either side.
    """
    area = rng.uniform(*scale)
    # log-uniform, so that both sides have the same distribution; no share exceeds 1
    width_share = math.exp(rng.uniform(math.log(area), 0))
    width = max(1, round(size[1] * width_share))
    height = max(1, round(size[0] * area / width_share))
    x1, y1 = int(rng.integers(size[1] - width + 1)), int(rng.integers(size[0] - height + 1))
    return x1, y1, x1 + width, y1 + height


def mix_background(foregrounds: Tensor, masks: Tensor, backgrounds: Tensor) -> Tensor:
    """Pastes foregrounds over other images.

    Args:
        foregrounds: Images, shape (B, C, H, W).
        masks: True where the foreground shows, bool, shape (B, H, W).
        backgrounds: Images, shape (B, C, H, W).

    Returns:
        Mixed images, shape (B, C, H, W).
    """
    return torch.where(masks[:, None], foregrounds, backgrounds)
