"""Boxes between the frames of a source image and its views.

source image                    view v (as the network sees it)
+-----------------+
|   +-------+     |   crop,     +-----+
|   |   v   |     |   resize,   |     |
|   +-------+     |   turn ->   +-----+
+-----------------+
"""

from typing import NamedTuple

import torch
from torch import Tensor


class PairBoxes(NamedTuple):
    """The common part of every pair of a global view q and any view v.

    Both tensors have the shape (..., G, V, 4) and are indexed [q, v]; on the diagonal (v = q) it is the whole view.

    Args:
        teacher_boxes_view: Common part in pixels of view q.
        student_boxes_view: Common part in pixels of view v.
    """

    teacher_boxes_view: Tensor
    student_boxes_view: Tensor


def intersect_boxes(boxes_a: Tensor, boxes_b: Tensor) -> Tensor:
    """Returns the common part of boxes of one frame, shape (..., 4), broadcast; it has no extent if they are apart."""
    left_top = torch.maximum(boxes_a[..., :2], boxes_b[..., :2])
    right_bottom = torch.minimum(boxes_a[..., 2:], boxes_b[..., 2:])
    return torch.cat([left_top, torch.maximum(left_top, right_bottom)], dim=-1)


def rescale_boxes(boxes_src: Tensor, crop_boxes_src: Tensor, view_sizes: Tensor) -> Tensor:
    """Maps boxes from the source image to crops that are resized to views, before any turn.

    Args:
        boxes_src: Boxes in source pixels, shape (..., 4).
        crop_boxes_src: Crops in source pixels, shape (..., 4).
        view_sizes: Height and width of the resized crops, shape (..., 2).

    Returns:
        Boxes in view pixels, broadcast over the leading dimensions, shape (..., 4).
    """
    origin = crop_boxes_src[..., :2]
    scale = view_sizes.flip(-1) / (crop_boxes_src[..., 2:] - origin)
    return torch.cat([(boxes_src[..., :2] - origin) * scale, (boxes_src[..., 2:] - origin) * scale], dim=-1)


def rotate_boxes(boxes: Tensor, turns: int | Tensor, sizes: tuple[float, float] | Tensor) -> Tensor:
    """Rotates boxes counter-clockwise together with the frame they lie in.

    Args:
        boxes: Boxes in the frame before the rotation, shape (..., 4).
        turns: Quarter turns, one integer or a tensor that broadcasts with `boxes[..., 0]`; taken modulo 4.
        sizes: Height and width of the frame before the rotation, a pair or shape (..., 2).

    Returns:
        Boxes in the frame after the rotation, whose size is `turned_size(size, turns)`, shape (..., 4).
    """
    turns = torch.as_tensor(turns, device=boxes.device) % 4
    sizes = torch.as_tensor(sizes, dtype=boxes.dtype, device=boxes.device)
    height, width = sizes[..., 0], sizes[..., 1]
    x1, y1, x2, y2 = torch.broadcast_tensors(*boxes.unbind(-1), turns * height)[:4]
    once = torch.stack([y1, width - x2, y2, width - x1], dim=-1)
    twice = torch.stack([width - x2, height - y2, width - x1, height - y1], dim=-1)
    thrice = torch.stack([height - y2, x1, height - y1, x2], dim=-1)
    turns = turns.unsqueeze(-1)
    boxes = torch.stack([x1, y1, x2, y2], dim=-1)
    return torch.where(turns == 0, boxes, torch.where(turns == 1, once, torch.where(turns == 2, twice, thrice)))


def pair_boxes(crop_boxes_src: Tensor, turns: Tensor, view_sizes: Tensor, num_global: int) -> PairBoxes:
    """Computes the overlap of every pair of a global view and any view (GTSA, official code).

    Args:
        crop_boxes_src: Crops in source pixels, the global views first, shape (..., V, 4).
        turns: Quarter turns of the views, shape (..., V).
        view_sizes: Height and width of the resized crops before their turns, shape (V, 2) or (..., V, 2).
        num_global: Number G of global views among the V views.

    Returns:
        Boxes of the shape (..., G, V, 4). Those of a pair without a common part have no extent.
    """
    view_sizes = torch.as_tensor(view_sizes, dtype=crop_boxes_src.dtype, device=crop_boxes_src.device)
    crops_q, crops_v = crop_boxes_src[..., :num_global, None, :], crop_boxes_src[..., None, :, :]
    sizes_q, sizes_v = view_sizes[..., :num_global, None, :], view_sizes[..., None, :, :]
    common_src = intersect_boxes(crops_q, crops_v)
    common_q = rescale_boxes(common_src, crops_q, sizes_q)
    common_v = rescale_boxes(common_src, crops_v, sizes_v)
    return PairBoxes(
        rotate_boxes(common_q, turns[..., :num_global, None], sizes_q),
        rotate_boxes(common_v, turns[..., None, :], sizes_v),
    )
