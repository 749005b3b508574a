"""Which regions of an image two crops of it can use."""
import math
from dataclasses import dataclass

import numpy as np


def draw_crop(frame, scale, ratio, rng):
    """A random rectangle within a box, its edges not rounded.

    Area uniform, aspect log-uniform, both relative to the frame stretched to a square; the range of aspects is
    narrowed to those that fit, so one draw is enough for frames of any shape.

    Args:
        frame: `(4,)` box.
        scale: smallest and largest share of the frame's area.
        ratio: smallest and largest width / height; includes 1.
        rng: `numpy.random.Generator`.

    Returns:
        `(4,)` float64 box.
    """
    area = rng.uniform(*scale)
    low, high = max(ratio[0], area), min(ratio[1], 1 / area)
    aspect = math.exp(rng.uniform(math.log(low), math.log(high)))
    shares = np.minimum(1., np.sqrt([area * aspect, area / aspect]))
    start = rng.random(2) * (1 - shares)
    sides = frame[2:] - frame[:2]
    return np.concatenate([frame[:2] + start * sides, np.minimum(frame[:2] + (start + shares) * sides, frame[2:])])


def intersect(boxes, box):
    """Parts of boxes `(N, 4)` within a box `(4,)`; of no extent (never negative) where they are apart."""
    left_top = np.clip(boxes[:, :2], box[:2], box[2:])
    return np.concatenate([left_top, np.maximum(left_top, np.clip(boxes[:, 2:], box[:2], box[2:]))], axis=1)


def jitter_boxes(boxes, jitter, rng):
    """Boxes `(N, 4)` whose centres move and whose sides change by up to `jitter` of the sides (SoCo's ranges)."""
    sides = boxes[:, 2:] - boxes[:, :2]
    moves, growth = rng.uniform(-jitter, jitter, (2, len(boxes), 2))
    centres = boxes[:, :2] + sides * (0.5 + moves)
    half_sides = sides * (1 + growth) / 2
    return np.concatenate([centres - half_sides, centres + half_sides], axis=1)


@dataclass(frozen=True)
class RegionRules:
    """What makes a region usable; the arguments are explained in `RegionViews`."""
    max_aspect: float
    size_range: tuple
    min_side: float
    same_part: bool

    def well_formed(self, boxes_src, image_area):
        """`(N,)` bool: whether boxes `(N, 4)` of the image have a usable aspect and size."""
        short, long = np.sort(boxes_src[:, 2:] - boxes_src[:, :2], axis=1).T
        size = np.sqrt(short * long / image_area)
        return (short > 0) & (long <= self.max_aspect * short) & \
            (self.size_range[0] <= size) & (size <= self.size_range[1])

    def parts(self, boxes_src, crops_src):
        """What x1 and x2, `crops_src` `(2, 4)`, show of boxes `(N, 4)`, still in the image's pixels: `(2, N, 4)`."""
        x2_parts = intersect(boxes_src, crops_src[1])
        x1_parts = x2_parts if self.same_part else intersect(boxes_src, crops_src[0])
        return np.stack([x1_parts, x2_parts])

    def long_enough(self, boxes_src, crops_src):
        """`(N,)` bool: whether both sides of the parts of boxes `(N, 4)` are long enough in either view."""
        parts = self.parts(boxes_src, crops_src)
        shares = (parts[..., 2:] - parts[..., :2]) / (crops_src[:, None, 2:] - crops_src[:, None, :2])
        return ((shares >= self.min_side) & (shares > 0)).all(axis=(0, 2))
