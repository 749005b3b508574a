"""What is common to a global view and each of the others, in every frame that a picture shows."""
from dataclasses import dataclass

import torch

from mmssl_geo.geometry import intersect_boxes


@dataclass(frozen=True)
class ViewPair:
    """The common part of the query view q and one other view v.

    Args:
        view: number of v.
        box_src, box_query, box_view: `(x1, y1, x2, y2)` in pixels of the source image, of q and of v.
        corner_query, corner_view: `(x, y)` in q and in v of the corner that is top left in the source image.
    """
    view: int
    box_src: tuple
    box_query: tuple
    box_view: tuple
    corner_query: tuple
    corner_view: tuple


def view_title(number, record):
    """Such as 'global 0, 90°' (counter-clockwise turn) or 'local 3, flipped, 0°'; global views are numbered first."""
    flip = ', flipped' if record.flipped else ''
    return f'{"global" if record.is_global else "local"} {number}{flip}, {90 * record.turn}°'


def view_pairs(records, query):
    """The pairs of one global view with all others.

    Args:
        records: `ViewRecord` of every view, global ones first.
        query: number of the global view q.

    Returns:
        list of `ViewPair`, in the order of v; views that have nothing in common with q are left out.

    Raises:
        ValueError: if the query is not the number of a global view.
    """
    num_global = sum(record.is_global for record in records)
    if not 0 <= query < num_global:
        raise ValueError(f'the query must be a global view, 0 to {num_global - 1}, got {query}')
    crops_src = torch.tensor([record.crop_box_src for record in records], dtype=torch.float64)
    common_src = intersect_boxes(crops_src[query], crops_src)
    pairs = []
    for view, record in enumerate(records):
        box_src = common_src[view]
        if view == query or (box_src[2:] <= box_src[:2]).any():
            continue
        pairs.append(ViewPair(
            view, tuple(box_src.tolist()),
            tuple(records[query].boxes_to_view(box_src).tolist()),
            tuple(record.boxes_to_view(box_src).tolist()),
            _top_left_corner(records[query], box_src), _top_left_corner(record, box_src)))
    return pairs


def _top_left_corner(record, box_src):
    corner_src = torch.cat([box_src[:2], box_src[:2]])
    return tuple(record.boxes_to_view(corner_src)[:2].tolist())
