"""Boxes for tests of regions, and the pixels that belong to them."""

import numpy as np


def random_boxes(rng, size):
    """Boxes of every awkward kind: nested, identical, tiny, at and over the border, outside, inverted, of no extent."""
    height, width = size
    corners = rng.uniform(-0.3, 1.3, (6, 2, 2)) * (width, height)
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    x1, y1, x2, y2 = boxes[0]
    dx, dy = (x2 - x1) * rng.uniform(0, 0.5), (y2 - y1) * rng.uniform(0, 0.5)
    point = rng.uniform(0, 1, 2) * (width, height)
    special = [
        boxes[1],
        boxes[1],
        (x1 + dx, y1 + dy, x2 - dx, y2 - dy),
        (0, 0, width, height),
        (0, y1, 3.2, y2),
        (x1, height - 2.5, x2, height),
        (*point, *(point + rng.uniform(0, 3, 2))),
        (*point, *(point + 0.3)),
        (*point, *point),
        (width, 0, width + 9, 9),
        (-5, -5, 0, 0),
        (x2, y2, x1, y1),
        (-np.inf, y1, np.inf, y2),
    ]
    boxes = np.concatenate([boxes, special])
    return rng.permutation(boxes)[: rng.integers(1, len(boxes) + 1)]


def pixels_of(box, size):
    """Mask of the pixels whose centres lie in a half-open box, one by one."""
    ys, xs = np.mgrid[: size[0], : size[1]] + 0.5
    return (xs >= box[0]) & (xs < box[2]) & (ys >= box[1]) & (ys < box[3])
