"""Regions in a sample, under whatever key and in whatever type a pipeline keeps them."""
import numpy as np
import torch

from mmssl_geo.utils.errors import UserError

IMAGENET_MEAN = (124, 116, 104)  # RGB, the mean that normalisation takes off, in whole numbers


def get_regions(results, key, step):
    """`(K, 4)` float64 boxes of a sample: an array, or mmdet's boxes.

    Args:
        results: the sample.
        key: where they are.
        step: name of the transform that asks, for the message.

    Raises:
        UserError: if they are not there, or no `(K, 4)`.
    """
    if key not in results:
        raise UserError(f'{step} finds no key "{key}" in the sample: put a step that makes regions before it '
                        '(LoadRegions or GridRegions), or name another key')
    boxes = np.asarray(getattr(results[key], 'tensor', results[key]), dtype=np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise UserError(f'{step}: "{key}" must hold boxes of shape (K, 4), got {boxes.shape}')
    return boxes


def set_regions(results, key, boxes):
    """Puts `(K, 4)` boxes back, as float32, in the type that the sample has had."""
    boxes = boxes.astype(np.float32)
    before = results[key]
    results[key] = type(before)(torch.from_numpy(boxes)) if hasattr(before, 'tensor') else boxes


def fill(image, mask, colour):
    """A copy of an image `(H, W, 3)` with a colour where the mask `(H, W)` is True."""
    image = image.copy()
    image[mask] = colour
    return image


def check_range(step, name, value, low, high):
    """Raises UserError unless `value` is a pair `low <= smallest <= largest <= high`."""
    if len(value) != 2 or not low <= value[0] <= value[1] <= high:
        raise UserError(f'{step}.{name} must be (smallest, largest) between {low:g} and {high:g}, got {tuple(value)}')
