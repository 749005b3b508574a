"""Selects the proposals of an image.

Needs only numpy and imports nothing from this package, because the environment of Selective Search loads this file by
path.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LARGEST = 65535  # coordinates are stored in 16 bits


@dataclass(frozen=True)
class RegionFilter:
    """Limits on the regions of an image. 0 disables a limit.

    Attributes:
        max_aspect: Maximum of longer side / shorter side.
        min_size: Minimum of the square root of region area / image area.
        max_size: Maximum of the square root of region area / image area.
        min_side: Minimum shorter side in pixels of the source image.
        max_iou: Maximum IoU of two regions; the larger region of a pair above it is kept.
        max_number: Maximum number of regions per image, sampled by seed and image name.
        relax: Whether an image without a remaining region keeps those that meet `max_aspect` and `min_side`, or else
            those that meet `min_side` (SoCo's code).
        seed: Seed of the sampling.
    """

    max_aspect: float = 0.0
    min_size: float = 0.0
    max_size: float = 0.0
    min_side: float = 0.0
    max_iou: float = 0.0
    max_number: int = 0
    relax: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_aspect and self.max_aspect < 1:
            raise ValueError(f'max_aspect is longer over shorter side, 1 or more, got {self.max_aspect}')
        if not 0 <= self.min_size <= (self.max_size or 1) <= 1:
            raise ValueError(
                'min_size and max_size are shares of the image: 0 <= min_size <= max_size <= 1, got '
                f'{self.min_size} and {self.max_size}'
            )
        if self.min_side < 0 or self.max_number < 0 or self.seed < 0 or not 0 <= self.max_iou <= 1:
            raise ValueError(
                'min_side, max_number and seed must not be negative, and max_iou is 0 to 1, got '
                f'{self.min_side}, {self.max_number}, {self.seed} and {self.max_iou}'
            )


def keep_regions(boxes: NDArray, image_size: tuple[int, int], limits: RegionFilter, name: str) -> tuple[NDArray, bool]:
    """Applies a `RegionFilter` to the regions of one image.

    Args:
        boxes: Non-empty integer boxes inside the image, in source pixels, shape (N, 4).
        image_size: Height and width in pixels.
        limits: The limits.
        name: Name of the image, which seeds the sampling.

    Returns:
        Boxes of shape (M, 4), sorted by their coordinates and without duplicates, so that the order of `boxes` does not
        matter, and whether the limits were relaxed.
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
        chosen = name_rng(limits.seed, name).permutation(len(kept))[: limits.max_number]
        kept = kept[np.sort(chosen)]
    return kept, relaxed


def _fits(boxes: NDArray, image_size: tuple[int, int], limits: RegionFilter) -> tuple[NDArray, NDArray, NDArray]:
    sides = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64)
    shorter, longer = sides.min(axis=1), sides.max(axis=1)
    size = np.sqrt(sides.prod(axis=1) / (image_size[0] * image_size[1]))
    return (
        longer <= (limits.max_aspect or np.inf) * shorter,
        (size >= limits.min_size) & (size <= (limits.max_size or np.inf)),
        shorter >= limits.min_side,
    )


def without_near_duplicates(boxes: NDArray, max_iou: float) -> NDArray:
    """Removes boxes that overlap a larger kept box by more than `max_iou`.

    Args:
        boxes: Boxes, shape (N, 4).
        max_iou: Maximum intersection over union.

    Returns:
        Boxes of shape (M, 4), in the order of `boxes`.
    """
    areas = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64).prod(axis=1)
    kept: list[int] = []
    for index in np.argsort(-areas, kind='stable'):
        others = boxes[kept]
        common = np.minimum(boxes[index, 2:], others[:, 2:]) - np.maximum(boxes[index, :2], others[:, :2])
        intersection = common.clip(0).astype(np.float64).prod(axis=1)
        if not (intersection > max_iou * (areas[index] + areas[kept] - intersection)).any():
            kept.append(index)
    return boxes[np.sort(np.array(kept, int))]


def whole_pixels(boxes: NDArray, image_size: tuple[int, int]) -> tuple[NDArray, int]:
    """Rounds boxes outwards to whole pixels and clips them; removes empty, reversed and non-finite boxes.

    A coordinate within 0.001 of a pixel edge counts as on the edge, so that a rounding error never adds a pixel.

    Args:
        boxes: Half-open continuous boxes in source pixels, shape (N, 4), xyxy.
        image_size: Height and width in pixels; coordinates beyond 65535 are clipped too.

    Returns:
        Int64 boxes of shape (M, 4), each at least one pixel wide and high, and the number of input boxes that extended
        beyond the image by more than one pixel.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    boxes = boxes[np.isfinite(boxes).all(axis=1) & (boxes[:, :2] < boxes[:, 2:]).all(axis=1)]
    low, high = np.floor(boxes[:, :2] + 1e-3), np.ceil(boxes[:, 2:] - 1e-3)
    limit = np.minimum((image_size[1], image_size[0]), LARGEST)
    outside = int(((low < -1) | (high > limit + 1)).any(axis=1).sum())
    clipped = np.concatenate([low, high], axis=1).clip(0, np.tile(limit, 2)).astype(np.int64)
    return clipped[(clipped[:, :2] < clipped[:, 2:]).all(axis=1)], outside


def name_rng(seed: int, name: str) -> np.random.Generator:
    """Returns the generator of one image, a function of seed and name alone."""
    digest = hashlib.blake2b(name.encode('utf-8', 'surrogateescape'), digest_size=16).digest()
    return np.random.default_rng([seed, int.from_bytes(digest, 'little')])
