"""Region collaborative cutout: a rectangle out of every box, of a bounded share of it, however the boxes overlap.

The rule (D3SSL's figure; the authors' code of 2024 for tokens): boxes are processed from the largest to the smallest.
r is the share of a box that is cut already. Above the largest share wanted, the whole box is restored and r = 0. If
then r is below the smallest one, or 0, a rectangle of (c - r) x the box's area and about the box's aspect is cut fully
within the box, with c drawn between the two. Else the box is cut enough. Later boxes may cut or restore parts of
earlier ones, so the final shares are reported, not promised.

These functions serve single images in data workers: arrays are numpy's.
"""
import math
from typing import NamedTuple

import numpy as np


class RegionHoles(NamedTuple):
    """What is cut.

    Args:
        holes: `(H, W)` bool, True where something is cut.
        shares: `(K,)` float32, cut share of every box in the end; 0 for a box without cells.
        shares_when_cut: `(K,)` float32, the share right after the box was processed, which the bound is about.
    """
    holes: np.ndarray
    shares: np.ndarray
    shares_when_cut: np.ndarray


def region_cutout(boxes, share, size, rng, aspect_jitter=0.):
    """Cuts holes into the boxes of an image, in whole pixels.

    A box consists of the pixels whose centres it holds. Right after a box is processed, its cut share s obeys

        (share[0] - 1 / L) / 2 <= s <= share[1]         and, if no hole reached into it before, or it was restored,
         share[0] - 1 / L      <  s <= share[1]

    where L is its longer side in pixels: a rounded hole is at most the exact one, and smaller by less than one row;
    a box that lacks less than this of share[0] counts as cut enough. The half is due to a further hole that may overlap
    an earlier one. A box without pixels (out of the image, of no extent, or between pixel centres) has the share 0; one
    of fewer than 1 / share[0] pixels may stay whole.

    Args:
        boxes: `(K, 4)` boxes in pixels.
        share: smallest and largest cut share, `0 <= share[0] <= share[1] <= 1`; every box draws its own.
        size: `(height, width)` of the image.
        rng: `numpy.random.Generator`.
        aspect_jitter: a hole's aspect is its box's times a factor from `[1 / (1 + x), 1 + x]`, log-uniform (our
            choice), as far as the hole fits.

    Returns:
        `RegionHoles`.

    Raises:
        ValueError: if a coordinate is not a number.
    """
    def draw_hole(shape, area):
        return _draw_hole_below(shape, area, math.log1p(aspect_jitter), rng)
    return _collaborate(boxes, box_cells(boxes, size), share, size, rng, draw_hole, slack=1)


def token_cutout(boxes_feat, share, size, rng):
    """Cuts holes into the boxes of a grid of tokens as the authors' code does (RCC, ICLR 2024).

    A box consists of the cells from its rounded first to its rounded last edge *inclusive*, and each side of a hole is
    one of the two whole numbers next to its exact length. Right after a box of n cells is processed, its cut share is
    at most `share + (w + h + 1) / n`, where w x h is the exact hole. A box without cells has the share 0.

    Args:
        boxes_feat: `(K, 4)` boxes in cells of the grid.
        share: cut share c, 0 to 1.
        size: `(height, width)` of the grid.
        rng: `numpy.random.Generator`.

    Returns:
        `RegionHoles`.

    Raises:
        ValueError: if a coordinate is not a number.
    """
    boxes_feat = clip_boxes(boxes_feat, size)
    cells = np.floor(boxes_feat + 0.5).astype(int)
    cells[:, 2:] = np.minimum(cells[:, 2:] + 1, size[::-1])
    cells[(boxes_feat[:, 2:] <= boxes_feat[:, :2]).any(axis=1)] = 0

    def draw_hole(shape, area):
        return _draw_hole_nearby(shape, area, rng)
    return _collaborate(boxes_feat, cells, (share, share), size, rng, draw_hole, slack=0)


def clip_boxes(boxes, size):
    """Boxes `(K, 4)` as float64 within an image of `(height, width)`; ValueError if a coordinate is not a number."""
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    if np.isnan(boxes).any():
        raise ValueError('a box has a coordinate that is not a number')
    return np.clip(boxes, 0, np.tile(size[::-1], 2))


def box_cells(boxes, size):
    """Whole `(K, 4)` boxes of the pixels whose centres lie in boxes, within `(height, width)`."""
    return np.ceil(clip_boxes(boxes, size) - 0.5).astype(int)


def _collaborate(boxes, cells, share, size, rng, draw_hole, slack):
    """The rule above.

    `draw_hole(shape, area)` returns a rectangle `(top, left, bottom, right)` within a box; a box is cut enough if fewer
    than `slack` rows of its shorter side are missing.
    """
    clipped = clip_boxes(boxes, size)
    areas = (clipped[:, 2] - clipped[:, 0]) * (clipped[:, 3] - clipped[:, 1])
    holes = np.zeros(size, dtype=bool)
    shares_when_cut = np.zeros(len(cells), dtype=np.float32)
    insides = [holes[y1:y2, x1:x2] for x1, y1, x2, y2 in cells.tolist()]
    for index in np.argsort(-areas, kind='stable'):
        inside = insides[index]
        if inside.size == 0:
            continue
        cut = np.count_nonzero(inside) / inside.size
        if cut > share[1]:
            inside[:] = False
            cut = 0.
        if cut == 0 or cut <= share[0] - slack / max(inside.shape):
            top, left, bottom, right = draw_hole(inside.shape, (rng.uniform(*share) - cut) * inside.size)
            inside[top:bottom, left:right] = True
        shares_when_cut[index] = inside.mean()
    shares = [inside.mean() if inside.size else 0. for inside in insides]
    return RegionHoles(holes, np.array(shares, dtype=np.float32), shares_when_cut)


def _draw_hole_below(shape, area, log_jitter, rng):
    """A rectangle of whole cells, as near to `area` from below as its shorter side allows, placed uniformly."""
    height, width = shape
    hole_w = math.sqrt(area * width / height * math.exp(rng.uniform(-log_jitter, log_jitter)))
    hole_w = min(max(hole_w, area / height), width)
    upright = hole_w * hole_w <= area
    # The shorter side is rounded first: the error is then less than one row of it.
    room = height if upright else width
    short = max(1, round(hole_w if upright else area / hole_w), math.ceil(area / room))
    long = int(area / short)
    hole_h, hole_w = (long, short) if upright else (short, long)
    top, left = rng.integers(height - hole_h + 1), rng.integers(width - hole_w + 1)
    return top, left, top + hole_h, left + hole_w


def _draw_hole_nearby(shape, area, rng):
    """A rectangle of the box's aspect whose edges are drawn continuously and then rounded (official code)."""
    edges = np.array(shape) * math.sqrt(area / (shape[0] * shape[1]))
    starts = rng.random(2) * (np.array(shape) - 1 - edges)
    bounds = np.floor(np.concatenate([starts, starts + edges]) + 0.5)
    return np.clip(bounds, 0, np.tile(shape, 2)).astype(int)
