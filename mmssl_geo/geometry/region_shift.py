"""Foregrounds, their surroundings, and the common shift of all regions of an image."""
import math

import numpy as np
import torch

from .region_cutout import box_cells, clip_boxes


def region_mask(boxes, size):
    """`(H, W)` bool numpy array, True for the pixels whose centres lie in one of the boxes `(K, 4)`."""
    mask = np.zeros(size, dtype=bool)
    for x1, y1, x2, y2 in box_cells(boxes, size).tolist():
        mask[y1:y2, x1:x2] = True
    return mask


def shift_range(boxes, size):
    """Translations by whole pixels that keep every box within the image.

    Boxes are clipped to the image first; those of no extent do not count.

    Args:
        boxes: `(K, 4)` in pixels.
        size: `(height, width)`.

    Returns:
        np.ndarray: `[[min_dx, min_dy], [max_dx, max_dy]]` integers, both ends possible; minima <= 0 <= maxima. All are
        0 along an axis that the boxes fill, and if there is no box.
    """
    boxes = clip_boxes(boxes, size)
    boxes = boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]
    if len(boxes) == 0:
        return np.zeros((2, 2), dtype=int)
    lowest = -np.floor(boxes[:, :2].min(axis=0))
    highest = np.floor(np.array(size[::-1]) - boxes[:, 2:].max(axis=0))
    return np.stack([lowest, highest]).astype(int)


def shift_boxes(boxes, shift, size):
    """Boxes `(K, 4)` clipped to the image, moved by `(dx, dy)`, and clipped again (which only meets empty ones)."""
    return clip_boxes(clip_boxes(boxes, size) + np.tile(shift, 2), size)


def shift_array(array, shift, fill):
    """An image or mask `(H, W, ...)` moved by whole pixels `(dx, dy)`; what comes in from outside is `fill`."""
    height, width = array.shape[:2]
    dx, dy = (int(np.clip(step, -side, side)) for step, side in zip(shift, (width, height), strict=True))
    moved = np.empty_like(array)
    moved[:] = fill
    moved[max(dy, 0):height + min(dy, 0), max(dx, 0):width + min(dx, 0)] = \
        array[max(-dy, 0):height - max(dy, 0), max(-dx, 0):width - max(dx, 0)]
    return moved


def draw_window(size, scale, rng):
    """A random rectangle of whole pixels with a share of the image's area; its sides' shares are drawn, too.

    Args:
        size: `(height, width)`.
        scale: smallest and largest area share, in (0, 1].
        rng: `numpy.random.Generator`.

    Returns:
        `(x1, y1, x2, y2)`; at least one pixel on either side.
    """
    area = rng.uniform(*scale)
    # log-uniform, so that both sides have the same distribution; no share exceeds 1
    width_share = math.exp(rng.uniform(math.log(area), 0))
    width = max(1, round(size[1] * width_share))
    height = max(1, round(size[0] * area / width_share))
    x1, y1 = int(rng.integers(size[1] - width + 1)), int(rng.integers(size[0] - height + 1))
    return x1, y1, x1 + width, y1 + height


def mix_background(foregrounds, masks, backgrounds):
    """Foregrounds pasted over other images.

    Args:
        foregrounds, backgrounds: `(B, C, H, W)`.
        masks: `(B, H, W)` bool, True where the foreground shows.

    Returns:
        `(B, C, H, W)`.
    """
    return torch.where(masks[:, None], foregrounds, backgrounds)
