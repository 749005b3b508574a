"""The overlap of a global view with each other view, in the coordinates of every image that a figure shows."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mmssl_geo.geometry import intersect_boxes
from mmssl_geo.structures import ViewRecord

BoxTuple = tuple[float, float, float, float]
PointTuple = tuple[float, float]


@dataclass(frozen=True)
class ViewPair:
    """The overlap of the query view and one other view. Boxes are `(x1, y1, x2, y2)`.

    Attributes:
        view: Index of the other view.
        box_src: Overlap in source pixels.
        box_query: Overlap in pixels of the query view.
        box_view: Overlap in pixels of the other view.
        corner_query: The corner `(x, y)` that is top left in the source image, in pixels of the query view.
        corner_view: The same corner in pixels of the other view.
    """

    view: int
    box_src: BoxTuple
    box_query: BoxTuple
    box_view: BoxTuple
    corner_query: PointTuple
    corner_view: PointTuple


def view_title(index: int, record: ViewRecord) -> str:
    """Formats a view as 'global 0, 90°' (counter-clockwise rotation) or 'local 3, flipped, 0°'."""
    flip = ', flipped' if record.flipped else ''
    return f'{"global" if record.is_global else "local"} {index}{flip}, {90 * record.turn}°'


def view_pairs(records: Sequence[ViewRecord], query: int) -> list[ViewPair]:
    """Returns the overlaps of one global view with all other views.

    Args:
        records: Records of all views, global views first.
        query: Index of the global view.

    Returns:
        Pairs in the order of the views; views without overlap are left out.

    Raises:
        ValueError: If the query is not the index of a global view.
    """
    num_global = sum(record.is_global for record in records)
    if not 0 <= query < num_global:
        raise ValueError(f'the query must be a global view, 0 to {num_global - 1}, got {query}')
    crops_src = torch.tensor([record.crop_box_src for record in records], dtype=torch.float64)
    overlaps_src = intersect_boxes(crops_src[query], crops_src)
    pairs = []
    for view, record in enumerate(records):
        box_src = overlaps_src[view]
        if view == query or (box_src[2:] <= box_src[:2]).any():
            continue
        pairs.append(
            ViewPair(
                view,
                _as_tuple(box_src),
                _as_tuple(records[query].boxes_to_view(box_src)),
                _as_tuple(record.boxes_to_view(box_src)),
                _top_left_corner(records[query], box_src),
                _top_left_corner(record, box_src),
            )
        )
    return pairs


def _as_tuple(box: Tensor) -> BoxTuple:
    x1, y1, x2, y2 = box.tolist()
    return x1, y1, x2, y2


def _top_left_corner(record: ViewRecord, box_src: Tensor) -> PointTuple:
    corner_src = torch.cat([box_src[:2], box_src[:2]])
    x, y = record.boxes_to_view(corner_src)[:2].tolist()
    return x, y
