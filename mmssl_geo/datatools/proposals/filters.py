"""Which proposals of an image are kept.

Needs numpy alone and imports nothing of this package: the environment of Selective Search loads this file by its path.
"""
import hashlib
from dataclasses import dataclass

import numpy as np

LARGEST = 65535  # coordinates are stored in 16 bits


@dataclass(frozen=True)
class RegionFilter:
    """Limits on the regions of an image. 0 switches a limit off.

    Attributes:
        max_aspect: longer side / shorter side, at most.
        min_size, max_size: square root of the region's area over that of the image's, at least and at most.
        min_side: shorter side in pixels of the source image, at least.
        max_iou: of two regions that overlap more (intersection over union), the larger one is kept.
        max_number: regions per image, at most; which ones is drawn from seed and image name.
        relax: an image left without a region keeps those that meet `max_aspect` and `min_side`, or else those that
            meet `min_side` (as SoCo's code does).
        seed: of that draw.
    """
    max_aspect: float = 0.
    min_size: float = 0.
    max_size: float = 0.
    min_side: float = 0.
    max_iou: float = 0.
    max_number: int = 0
    relax: bool = False
    seed: int = 0

    def __post_init__(self):
        if self.max_aspect and self.max_aspect < 1:
            raise ValueError(f'max_aspect is longer over shorter side, 1 or more, got {self.max_aspect}')
        if not 0 <= self.min_size <= (self.max_size or 1) <= 1:
            raise ValueError('min_size and max_size are shares of the image: 0 <= min_size <= max_size <= 1, got '
                             f'{self.min_size} and {self.max_size}')
        if self.min_side < 0 or self.max_number < 0 or self.seed < 0 or not 0 <= self.max_iou <= 1:
            raise ValueError('min_side, max_number and seed must not be negative, and max_iou is 0 to 1, got '
                             f'{self.min_side}, {self.max_number}, {self.seed} and {self.max_iou}')


def keep_regions(boxes, image_size, limits, name):
    """Applies a `RegionFilter` to the regions of one image.

    Args:
        boxes: `(N, 4)` integers in source pixels, inside the image, none empty.
        image_size: `(height, width)`.
        limits: `RegionFilter`.
        name: the image's name, which goes into the draw.

    Returns:
        `(M, 4)` boxes, sorted by their coordinates and all different (so the order of `boxes` plays no part), and
        whether the limits were relaxed.
    """
    boxes = np.unique(boxes, axis=0)
    shape, size, side = _fits(boxes, image_size, limits)
    kept, relaxed = boxes[shape & size & side], False
    if limits.relax and not len(kept):
        kept = boxes[shape & side] if (shape & side).any() else boxes[side]
        relaxed = len(kept) > 0
    if limits.max_iou:
        kept = without_near_duplicates(kept, limits.max_iou)
    if limits.max_number and len(kept) > limits.max_number:
        chosen = name_rng(limits.seed, name).permutation(len(kept))[:limits.max_number]
        kept = kept[np.sort(chosen)]
    return kept, relaxed


def _fits(boxes, image_size, limits):
    sides = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64)
    shorter, longer = sides.min(axis=1), sides.max(axis=1)
    size = np.sqrt(sides.prod(axis=1) / (image_size[0] * image_size[1]))
    return (longer <= (limits.max_aspect or np.inf) * shorter,
            (size >= limits.min_size) & (size <= (limits.max_size or np.inf)),
            shorter >= limits.min_side)


def without_near_duplicates(boxes, max_iou):
    """The boxes that overlap no larger kept one by more than `max_iou`; the largest come first in the choice.

    Args:
        boxes: `(N, 4)`.
        max_iou: intersection over union.

    Returns:
        `(M, 4)`, in the order of `boxes`.
    """
    areas = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64).prod(axis=1)
    kept = []
    for index in np.argsort(-areas, kind='stable'):
        others = boxes[kept]
        common = np.minimum(boxes[index, 2:], others[:, 2:]) - np.maximum(boxes[index, :2], others[:, :2])
        intersection = common.clip(0).astype(np.float64).prod(axis=1)
        if not (intersection > max_iou * (areas[index] + areas[kept] - intersection)).any():
            kept.append(index)
    return boxes[np.sort(np.array(kept, int))]


def whole_pixels(boxes, image_size):
    """Boxes rounded outwards to whole pixels and clipped to the image; empty, reversed and non-finite ones drop out.

    A coordinate within 0.001 of a pixel edge counts as on it, so that no rounding error of a float adds a pixel.

    Args:
        boxes: `(N, 4)` x1, y1, x2, y2, half-open and continuous, in source pixels.
        image_size: `(height, width)`; what lies beyond 65535 is clipped too.

    Returns:
        `(M, 4)` int64 boxes, each at least a pixel wide and high, and how many of the N reached out of the image by
        more than a pixel (clipped or dropped for it).
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    boxes = boxes[np.isfinite(boxes).all(axis=1) & (boxes[:, :2] < boxes[:, 2:]).all(axis=1)]
    low, high = np.floor(boxes[:, :2] + 1e-3), np.ceil(boxes[:, 2:] - 1e-3)
    limit = np.minimum((image_size[1], image_size[0]), LARGEST)
    outside = int(((low < -1) | (high > limit + 1)).any(axis=1).sum())
    clipped = np.concatenate([low, high], axis=1).clip(0, np.tile(limit, 2)).astype(np.int64)
    return clipped[(clipped[:, :2] < clipped[:, 2:]).all(axis=1)], outside


def name_rng(seed, name):
    """`numpy.random.Generator` of one image: a function of seed and name alone."""
    digest = hashlib.blake2b(name.encode('utf-8', 'surrogateescape'), digest_size=16).digest()
    return np.random.default_rng([seed, int.from_bytes(digest, 'little')])
