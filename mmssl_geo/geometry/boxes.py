"""Boxes between the frames of a source image and its views.

    source image                    view v (as the net sees it)
    +-----------------+
    |   +-------+     |   crop,     +-----+
    |   |   v   |     |   resize,   |     |
    |   +-------+     |   turn ->   +-----+
    +-----------------+
"""
from typing import NamedTuple

import torch


class PairBoxes(NamedTuple):
    """The common part of every pair (global view q, any view v), in both views' own pixels.

    Both are `(..., G, V, 4)`, indexed `[q, v]`; the diagonal (v = q) is the whole view.
    """
    teacher_boxes_view: torch.Tensor  # in the pixels of view q
    student_boxes_view: torch.Tensor  # in the pixels of view v


def intersect_boxes(boxes_a, boxes_b):
    """Common part of broadcast boxes `(..., 4)` of one frame; of no extent (never negative) if they are apart."""
    left_top = torch.maximum(boxes_a[..., :2], boxes_b[..., :2])
    right_bottom = torch.minimum(boxes_a[..., 2:], boxes_b[..., 2:])
    return torch.cat([left_top, torch.maximum(left_top, right_bottom)], dim=-1)


def rescale_boxes(boxes_src, crop_boxes_src, view_sizes):
    """Boxes of the source image in the pixels of crops that are resized to views, before any turn.

    Args:
        boxes_src: `(..., 4)`.
        crop_boxes_src: `(..., 4)`, the crop rectangles in the source image.
        view_sizes: `(..., 2)`, the `(height, width)` of the resized crops.

    Returns:
        `(..., 4)` in view pixels, broadcast over the leading dimensions.
    """
    origin = crop_boxes_src[..., :2]
    scale = view_sizes.flip(-1) / (crop_boxes_src[..., 2:] - origin)
    return torch.cat([(boxes_src[..., :2] - origin) * scale, (boxes_src[..., 2:] - origin) * scale], dim=-1)


def rotate_boxes(boxes, turns, sizes):
    """Turns boxes counter-clockwise together with the frame that they lie in.

    Args:
        boxes: `(..., 4)` in the frame before the turn.
        turns: int or integer tensor that broadcasts with `boxes[..., 0]`; taken modulo 4.
        sizes: `(height, width)` of the frame before the turn, or a tensor `(..., 2)`.

    Returns:
        `(..., 4)` in the frame after the turn, whose size is `turned_size(size, turn)`.
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


def pair_boxes(crop_boxes_src, turns, view_sizes, num_global):
    """Boxes of the common part of every pair of a global view and any view (GTSA, official code).

    Args:
        crop_boxes_src: `(..., V, 4)` crop rectangles in source pixels, the global views first.
        turns: `(..., V)` quarter turns of the views.
        view_sizes: `(V, 2)` or `(..., V, 2)` sizes of the resized crops before their turns.
        num_global: G, how many of the V views are global.

    Returns:
        `PairBoxes` of two `(..., G, V, 4)` tensors. A pair without common part has boxes of no extent.
    """
    view_sizes = torch.as_tensor(view_sizes, dtype=crop_boxes_src.dtype, device=crop_boxes_src.device)
    crops_q, crops_v = crop_boxes_src[..., :num_global, None, :], crop_boxes_src[..., None, :, :]
    sizes_q, sizes_v = view_sizes[..., :num_global, None, :], view_sizes[..., None, :, :]
    common_src = intersect_boxes(crops_q, crops_v)
    common_q = rescale_boxes(common_src, crops_q, sizes_q)
    common_v = rescale_boxes(common_src, crops_v, sizes_v)
    return PairBoxes(
        rotate_boxes(common_q, turns[..., :num_global, None], sizes_q),
        rotate_boxes(common_v, turns[..., None, :], sizes_v))

