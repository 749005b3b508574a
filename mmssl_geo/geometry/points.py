"""Points between the frames of a source image and its views, and the centres of a map's cells."""

import torch
from torch import Tensor

from .boxes import rescale_boxes, rotate_boxes

# A point is rotated and rescaled as a box of no extent.


def source_to_view(points_src: Tensor, crop_boxes_src: Tensor, turns: int | Tensor, view_sizes: Tensor) -> Tensor:
    """Maps points from the source image to views.

    Args:
        points_src: Points (x, y) in source pixels, shape (..., 2).
        crop_boxes_src: Crops in source pixels, shape (..., 4).
        turns: Quarter turns of the views, one integer or shape (...).
        view_sizes: Height and width of the resized crops before their turns, shape (..., 2).

    Returns:
        Points in view pixels, broadcast over the leading dimensions, shape (..., 2). They lie outside the view if they
        lie outside the crop.
    """
    upright = rescale_boxes(torch.cat([points_src, points_src], dim=-1), crop_boxes_src, view_sizes)
    return rotate_boxes(upright, turns, view_sizes)[..., :2]


def view_to_source(points_view: Tensor, crop_boxes_src: Tensor, turns: int | Tensor, view_sizes: Tensor) -> Tensor:
    """Maps points from views to the source image: the inverse of `source_to_view`.

    Args:
        points_view: Points (x, y) in view pixels, shape (..., 2).
        crop_boxes_src: As for `source_to_view`.
        turns: As for `source_to_view`.
        view_sizes: As for `source_to_view`.

    Returns:
        Points in source pixels, broadcast over the leading dimensions, shape (..., 2).
    """
    turns = torch.as_tensor(turns, device=points_view.device)
    turned_sizes = torch.where(turns.unsqueeze(-1) % 2 == 0, view_sizes, view_sizes.flip(-1))
    upright = rotate_boxes(torch.cat([points_view, points_view], dim=-1), -turns, turned_sizes)[..., :2]
    origin = crop_boxes_src[..., :2]
    return origin + upright * (crop_boxes_src[..., 2:] - origin) / view_sizes.flip(-1)


def cell_centres(height: int, width: int) -> Tensor:
    """Returns the centres (x, y) of a map's cells, in cells, float32, row-major, shape (height * width, 2)."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing='ij')
    return torch.stack([x, y], dim=-1).flatten(0, 1)
