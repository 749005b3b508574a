"""Access to the regions of a sample, and what the transforms of regions share."""

from collections.abc import Sequence

import numpy as np
import torch

from mmssl_geo.utils.constants import IMAGENET_MEAN
from mmssl_geo.utils.errors import UserError

FILL_COLOUR = tuple(round(level) for level in IMAGENET_MEAN)  # RGB; close to zero after the normalisation


def get_regions(results: dict, key: str, step: str) -> np.ndarray:
    """Returns the boxes of a sample, which may be an array or mmdet's boxes.

    Args:
        results: The sample.
        key: Key of the boxes.
        step: Name of the calling transform, for the message.

    Returns:
        Boxes, float64, shape (K, 4).

    Raises:
        UserError: If there are no boxes, or they have another shape.
    """
    if key not in results:
        raise UserError(
            f'{step} finds no key "{key}" in the sample: put a step that makes regions before it '
            '(LoadRegions or GridRegions), or name another key'
        )
    boxes = np.asarray(getattr(results[key], 'tensor', results[key]), dtype=np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise UserError(f'{step}: "{key}" must hold boxes of shape (K, 4), got {boxes.shape}')
    return boxes


def set_regions(results: dict, key: str, boxes: np.ndarray) -> None:
    """Replaces the boxes of a sample, as float32 and in the type that they had there."""
    boxes = boxes.astype(np.float32)
    before = results[key]
    results[key] = type(before)(torch.from_numpy(boxes)) if hasattr(before, 'tensor') else boxes


def fill(image: np.ndarray, mask: np.ndarray, colour: Sequence[int]) -> np.ndarray:
    """Returns a copy of an image, shape (H, W, 3), with a colour where the mask, shape (H, W), is True."""
    image = image.copy()
    image[mask] = colour
    return image


def check_range(step: str, name: str, value: Sequence[float], low: float, high: float) -> None:
    """Checks a setting of a transform that is a range.

    Raises:
        UserError: Unless `value` is a pair with `low <= smallest <= largest <= high`.
    """
    if len(value) != 2 or not low <= value[0] <= value[1] <= high:
        raise UserError(f'{step}.{name} must be (smallest, largest) between {low:g} and {high:g}, got {tuple(value)}')
