"""Region collaborative cutout: cuts a rectangle out of every box, of a bounded share of it, however the boxes overlap.

The rule (D3SSL's figure; the authors' code of 2024 for tokens): boxes are processed from the largest to the smallest.
r is the share of a box that is already cut. If r is above the largest share, the whole box is restored and r = 0. If r
is then 0 or below the smallest share, a rectangle of (c - r) times the box's area, with about the box's aspect and
fully within the box, is cut; c is sampled between the two shares. Otherwise the box is left as it is. Later
boxes may cut or restore parts of earlier ones, so the final shares are reported, not guaranteed.

These functions serve single images in data workers, so arrays are numpy arrays.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

Size = tuple[int, int]


class RegionHoles(NamedTuple):
    """The holes of an image.

    Args:
        holes: True where something is cut, bool, shape (H, W).
        shares: Cut share of every box in the end, float32, shape (K,); 0 for a box without cells.
        shares_when_cut: Share right after the box was processed, which the bound holds for, float32, shape (K,).
    """

    holes: np.ndarray
    shares: np.ndarray
    shares_when_cut: np.ndarray


def region_cutout(
    boxes: ArrayLike, share: tuple[float, float], size: Size, rng: np.random.Generator, aspect_jitter: float = 0.0
) -> RegionHoles:
    """Cuts holes into the boxes of an image, in whole pixels.

    A box consists of the pixels whose centres it contains. Right after a box is processed, its cut share s satisfies

        (share[0] - 1 / L) / 2 <= s <= share[1]         and, if no hole reached into it before, or it was restored,
         share[0] - 1 / L      <  s <= share[1]

    where L is its longer side in pixels: a rounded hole is at most the exact one, and smaller by less than one row;
    a box that lacks less than this of share[0] is left as it is. The factor 1/2 is due to a further hole that may
    overlap an earlier one. A box without pixels (outside the image, of no extent, or between pixel centres) has the
    share 0; one of fewer than 1 / share[0] pixels may stay whole.

    Args:
        boxes: Boxes in pixels, shape (K, 4).
        share: Smallest and largest cut share, `0 <= share[0] <= share[1] <= 1`; sampled for every box.
        size: Height and width of the image.
        rng: Source of all randomness.
        aspect_jitter: A hole's aspect is its box's times a factor from `[1 / (1 + x), 1 + x]`, log-uniform, as far as
            the hole fits (our choice).

    Raises:
        ValueError: If a coordinate is not a number.
    """

    def sample_hole(shape: Size, area: float) -> tuple[int, int, int, int]:
        return _hole_up_to(shape, area, math.log1p(aspect_jitter), rng)

    return _cut_collaboratively(boxes, box_cells(boxes, size), share, size, rng, sample_hole, slack=1)


def token_cutout(boxes_feat: ArrayLike, share: float, size: Size, rng: np.random.Generator) -> RegionHoles:
    """Cuts holes into the boxes of a grid of tokens as the authors' code does (RCC, ICLR 2024).

    A box consists of the cells from its rounded first to its rounded last edge *inclusive*, and each side of a hole is
    one of the two whole numbers next to its exact length. Right after a box of n cells is processed, its cut share is
    at most `share + (w + h + 1) / n`, where w x h is the exact hole. A box without cells has the share 0.

    Args:
        boxes_feat: Boxes in cells of the grid, shape (K, 4).
        share: Cut share c, 0 to 1.
        size: Height and width of the grid.
        rng: Source of all randomness.

    Raises:
        ValueError: If a coordinate is not a number.
    """
    boxes_feat = clip_boxes(boxes_feat, size)
    cells = np.floor(boxes_feat + 0.5).astype(int)
    cells[:, 2:] = np.minimum(cells[:, 2:] + 1, size[::-1])
    cells[(boxes_feat[:, 2:] <= boxes_feat[:, :2]).any(axis=1)] = 0

    def sample_hole(shape: Size, area: float) -> tuple[int, int, int, int]:
        return _hole_rounded(shape, area, rng)

    return _cut_collaboratively(boxes_feat, cells, (share, share), size, rng, sample_hole, slack=0)


def clip_boxes(boxes: ArrayLike, size: Size) -> np.ndarray:
    """Clips boxes to an image.

    Args:
        boxes: Boxes in pixels, shape (K, 4).
        size: Height and width of the image.

    Returns:
        Boxes, float64, shape (K, 4).

    Raises:
        ValueError: If a coordinate is not a number.
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    if np.isnan(boxes).any():
        raise ValueError('a box has a coordinate that is not a number')
    return np.clip(boxes, 0, np.tile(size[::-1], 2))


def box_cells(boxes: ArrayLike, size: Size) -> np.ndarray:
    """Returns the integer boxes, shape (K, 4), of the pixels of an image of `size` whose centres lie in `boxes`."""
    return np.ceil(clip_boxes(boxes, size) - 0.5).astype(int)


def _cut_collaboratively(
    boxes: ArrayLike,
    cells: np.ndarray,
    share: tuple[float, float],
    size: Size,
    rng: np.random.Generator,
    sample_hole: Callable[[Size, float], tuple[int, int, int, int]],
    slack: float,
) -> RegionHoles:
    """Applies the rule above.

    Args:
        boxes: Boxes in cells, shape (K, 4).
        cells: Integer boxes of the cells of each box, shape (K, 4).
        share: Smallest and largest cut share.
        size: Height and width of the grid of cells.
        rng: Source of all randomness.
        sample_hole: From height and width of a box and the area of a hole to the hole's (top, left, bottom, right).
        slack: A box is left as it is if less than this many rows of its shorter side are missing.
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
            cut = 0.0
        if cut == 0 or cut <= share[0] - slack / max(inside.shape):
            top, left, bottom, right = sample_hole(inside.shape, (rng.uniform(*share) - cut) * inside.size)
            inside[top:bottom, left:right] = True
        shares_when_cut[index] = inside.mean()
    shares = [inside.mean() if inside.size else 0.0 for inside in insides]
    return RegionHoles(holes, np.array(shares, dtype=np.float32), shares_when_cut)


def _hole_up_to(shape: Size, area: float, log_jitter: float, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Samples a rectangle of whole cells, as close to `area` from below as its shorter side allows."""
    height, width = shape
    exact_w = math.sqrt(area * width / height * math.exp(rng.uniform(-log_jitter, log_jitter)))
    exact_w = min(max(exact_w, area / height), width)
    upright = exact_w * exact_w <= area
    # The shorter side is rounded first: the error is then less than one row of it.
    room = height if upright else width
    short = max(1, round(exact_w if upright else area / exact_w), math.ceil(area / room))
    long = int(area / short)
    hole_h, hole_w = (long, short) if upright else (short, long)
    top, left = int(rng.integers(height - hole_h + 1)), int(rng.integers(width - hole_w + 1))
    return top, left, top + hole_h, left + hole_w


def _hole_rounded(shape: Size, area: float, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Samples a rectangle of the box's aspect with continuous edges and rounds the edges (official code)."""
    edges = np.array(shape) * math.sqrt(area / (shape[0] * shape[1]))
    starts = rng.random(2) * (np.array(shape) - 1 - edges)
    bounds = np.floor(np.concatenate([starts, starts + edges]) + 0.5)
    top, left, bottom, right = np.clip(bounds, 0, np.tile(shape, 2)).astype(int).tolist()
    return top, left, bottom, right
