"""Sampling of two nested crops of an image, and the regions that both can use."""

import math
from dataclasses import dataclass

import numpy as np


def sample_crop(
    frame: np.ndarray, scale: tuple[float, float], ratio: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """Samples a rectangle within a box, whose edges are not rounded.

    The area is uniform and the aspect log-uniform, both relative to the frame stretched to a square. The range of
    aspects is narrowed to those that fit, so one attempt is enough for frames of any shape.

    Args:
        frame: Box, shape (4,).
        scale: Smallest and largest share of the frame's area.
        ratio: Smallest and largest width / height; includes 1.
        rng: Source of all randomness.

    Returns:
        Box, float64, shape (4,).
    """
    area = rng.uniform(*scale)
    low, high = max(ratio[0], area), min(ratio[1], 1 / area)
    aspect = math.exp(rng.uniform(math.log(low), math.log(high)))
    shares = np.minimum(1.0, np.sqrt([area * aspect, area / aspect]))
    start = rng.random(2) * (1 - shares)
    sides = frame[2:] - frame[:2]
    return np.concatenate([frame[:2] + start * sides, np.minimum(frame[:2] + (start + shares) * sides, frame[2:])])


def intersect(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Clips boxes, shape (N, 4), to a box, shape (4,); they have no extent where they are apart."""
    left_top = np.clip(boxes[:, :2], box[:2], box[2:])
    return np.concatenate([left_top, np.maximum(left_top, np.clip(boxes[:, 2:], box[:2], box[2:]))], axis=1)


def jitter_boxes(boxes: np.ndarray, jitter: float, rng: np.random.Generator) -> np.ndarray:
    """Changes the centres and sides of boxes, shape (N, 4), by up to `jitter` of the sides (SoCo's ranges)."""
    sides = boxes[:, 2:] - boxes[:, :2]
    moves, growth = rng.uniform(-jitter, jitter, (2, len(boxes), 2))
    centres = boxes[:, :2] + sides * (0.5 + moves)
    half_sides = sides * (1 + growth) / 2
    return np.concatenate([centres - half_sides, centres + half_sides], axis=1)


@dataclass(frozen=True)
class RegionRules:
    """What makes a region usable; `RegionViews` documents the arguments."""

    max_aspect: float
    size_range: tuple[float, float]
    min_side: float
    same_part: bool

    def well_formed(self, boxes_src: np.ndarray, image_area: float) -> np.ndarray:
        """Returns whether boxes of the image, shape (N, 4), have a usable aspect and size, bool, shape (N,)."""
        short, long = np.sort(boxes_src[:, 2:] - boxes_src[:, :2], axis=1).T
        size = np.sqrt(short * long / image_area)
        return (
            (short > 0)
            & (long <= self.max_aspect * short)
            & (self.size_range[0] <= size)
            & (size <= self.size_range[1])
        )

    def parts(self, boxes_src: np.ndarray, crops_src: np.ndarray) -> np.ndarray:
        """Returns the parts of boxes that x1 and x2 show.

        Args:
            boxes_src: Boxes in pixels of the image, shape (N, 4).
            crops_src: Crops of x1 and x2 in pixels of the image, shape (2, 4).

        Returns:
            Parts in pixels of the image, shape (2, N, 4).
        """
        x2_parts = intersect(boxes_src, crops_src[1])
        x1_parts = x2_parts if self.same_part else intersect(boxes_src, crops_src[0])
        return np.stack([x1_parts, x2_parts])

    def long_enough(self, boxes_src: np.ndarray, crops_src: np.ndarray) -> np.ndarray:
        """Returns whether both sides of the `parts` of boxes are long enough in either view, bool, shape (N,)."""
        parts = self.parts(boxes_src, crops_src)
        shares = (parts[..., 2:] - parts[..., :2]) / (crops_src[:, None, 2:] - crops_src[:, None, :2])
        return ((shares >= self.min_side) & (shares > 0)).all(axis=(0, 2))
