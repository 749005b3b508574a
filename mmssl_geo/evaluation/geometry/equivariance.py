"""Equivariance error: 0 if features move exactly with the image, 1 if counterparts are as unlike as unrelated cells."""

import torch
from torch import Tensor

from mmssl_geo.evaluation.directions import unit_cells
from mmssl_geo.geometry import cell_centres, pair_boxes, pool_boxes, rotate_maps
from mmssl_geo.utils.errors import UserError


def equivariance_error(cells: Tensor, counterparts: Tensor, mask: Tensor | None = None) -> float:
    """Computes the distance of cells to their counterparts relative to the distance to other cells of the same map.

    The error is `(1 - mean cosine of cell p and counterpart p) / (1 - mean cosine of cell p and counterpart q)` with
    `p != q`; the means are over all cells p of all images. If all cells of a map are alike, so that they do not depend
    on the position, the error is 1 (our choice).

    Args:
        cells: Unit vectors of `unit_cells`, shape (N, P, C).
        counterparts: Unit vectors, shape (N, P, C); `counterparts[n, p]` shows the same content as `cells[n, p]`.
        mask: Cells that count, shape (N, P), bool; all by default. Images with a single such cell are ignored.

    Returns:
        0 if the counterparts agree, 1 if they agree no more than other cells, above 1 if they agree less.
    """
    weight = torch.ones(cells.shape[:2]) if mask is None else mask.double()
    weight = weight * (weight.sum(dim=1, keepdim=True) > 1)  # a single cell has no other cell to compare with
    cells, counterparts = (values.double() * weight.unsqueeze(-1) for values in (cells, counterparts))
    counts = weight.sum(dim=1)
    matching = (cells * counterparts).sum(dim=(1, 2))
    every = (cells.sum(dim=1) * counterparts.sum(dim=1)).sum(dim=1)
    matched = 1 - (matching.sum() / counts.sum()).item()
    unrelated = 1 - (((every - matching) / (counts - 1)).sum() / counts.sum()).item()
    return matched / unrelated if unrelated > 1e-6 else 1.0


def rotation_equivariance_error(rotated_maps: Tensor, centre: Tensor) -> float:
    """Computes the equivariance error under rotation: maps of rotated images against rotated maps.

    Args:
        rotated_maps: Square feature maps of N images after 0 to 3 quarter turns, shape (4, N, C, h, w).
        centre: Origin of the directions, shape (C,).

    Returns:
        The `equivariance_error` over all images and the turns 1, 2 and 3.
    """
    of_rotated_images = torch.cat([unit_cells(rotated_maps[turns], centre) for turns in (1, 2, 3)])
    rotated = torch.cat([unit_cells(rotate_maps(rotated_maps[0], turns), centre) for turns in (1, 2, 3)])
    return equivariance_error(of_rotated_images, rotated)


def crop_equivariance_error(first: Tensor, second: Tensor, crop_boxes_src: Tensor, centre: Tensor) -> float:
    """Computes the equivariance error under cropping: the overlap of two crops of an image, pooled from both maps.

    The overlap is pooled to 5/7 of the map's side, as in GTSA's crop loss. Only pooled cells count whose positions in
    the two views do not overlap, so that a feature of the position alone does not look equivariant (our choice).

    Args:
        first: Feature maps of the first crops, shape (N, C, h, w).
        second: Feature maps of the second crops, not rotated, shape (N, C, h, w).
        crop_boxes_src: Boxes of the two crops in source pixels, shape (N, 2, 4), xyxy.
        centre: Origin of the directions, shape (C,).

    Returns:
        The `equivariance_error` over all images and pooled cells.

    Raises:
        UserError: If no cell counts.
    """
    num, (height, width) = len(first), first.shape[-2:]
    # With cells as view pixels, the boxes are in cells.
    view_sizes = torch.tensor([(height, width)] * 2)
    pairs = pair_boxes(crop_boxes_src, torch.zeros(num, 2, dtype=torch.long), view_sizes, num_global=1)
    boxes = pairs.teacher_boxes_view[:, 0, 1], pairs.student_boxes_view[:, 0, 1]
    size = max(2, height * 5 // 7), max(2, width * 5 // 7)
    of_first, of_second = (
        unit_cells(pool_boxes(maps, boxes_feat, torch.arange(num), size), centre)
        for maps, boxes_feat in zip((first, second), boxes, strict=True)
    )
    (positions, extent), (other_positions, other_extent) = (_pooled_cells(boxes_feat, size) for boxes_feat in boxes)
    moved = ((positions - other_positions).abs() >= (extent + other_extent) / 2).any(dim=-1)
    if (moved.sum(dim=1) < 2).all():
        raise UserError(
            'the two crops of every image show the same content at the same position: use images of less '
            'extreme shape, or a larger --size'
        )
    return equivariance_error(of_first, of_second, moved)


def _pooled_cells(boxes: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Returns centres, shape (N, P, 2), in row-major order, and extents, shape (N, 1, 2), of the cells of boxes."""
    extent = (boxes[:, None, 2:] - boxes[:, None, :2]) / torch.tensor([size[1], size[0]])
    return boxes[:, None, :2] + cell_centres(*size) * extent, extent
