"""Points between the frames of a source image and its views, and the centres of a map's cells."""
import torch

from .boxes import rescale_boxes, rotate_boxes

# A point is turned and rescaled as a box of no extent.


def source_to_view(points_src, crop_boxes_src, turns, view_sizes):
    """Points of the source image in the pixels of views.

    Args:
        points_src: `(..., 2)`, `(x, y)` in source pixels.
        crop_boxes_src: `(..., 4)`, the crop rectangles in the source image.
        turns: int or `(...)`, counter-clockwise quarter turns of the views.
        view_sizes: `(..., 2)`, `(height, width)` of the resized crops before their turns.

    Returns:
        `(..., 2)` in view pixels, broadcast over the leading dimensions; outside the view if outside the crop.
    """
    upright = rescale_boxes(torch.cat([points_src, points_src], dim=-1), crop_boxes_src, view_sizes)
    return rotate_boxes(upright, turns, view_sizes)[..., :2]


def view_to_source(points_view, crop_boxes_src, turns, view_sizes):
    """Points of views in the pixels of the source image: the inverse of `source_to_view`.

    Args:
        points_view: `(..., 2)`, `(x, y)` in view pixels.
        crop_boxes_src, turns, view_sizes: as for `source_to_view`.

    Returns:
        `(..., 2)` in source pixels, broadcast over the leading dimensions.
    """
    turns = torch.as_tensor(turns, device=points_view.device)
    turned_sizes = torch.where(turns.unsqueeze(-1) % 2 == 0, view_sizes, view_sizes.flip(-1))
    upright = rotate_boxes(torch.cat([points_view, points_view], dim=-1), -turns, turned_sizes)[..., :2]
    origin = crop_boxes_src[..., :2]
    return origin + upright * (crop_boxes_src[..., 2:] - origin) / view_sizes.flip(-1)


def cell_centres(height, width):
    """`(height * width, 2)` float32: `(x, y)` of the centres of a map's cells, in cells, row-major."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing='ij')
    return torch.stack([x, y], dim=-1).flatten(0, 1)
