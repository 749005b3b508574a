"""Patch correspondence between two views of an image."""

import torch
from torch import Tensor

from mmssl_geo.evaluation.directions import unit_cells
from mmssl_geo.evaluation.results import ValueAndChance
from mmssl_geo.geometry import cell_centres, source_to_view, view_to_source
from mmssl_geo.utils.errors import UserError

TIE = 1e-6


def correspondence_precision(
    first: Tensor, second: Tensor, crop_boxes_src: Tensor, turns: Tensor, centre: Tensor, tolerance: float = 1.0
) -> ValueAndChance:
    """Computes the share of patches whose nearest neighbour in another view of the image shows the same content.

    Queries are the patches of the first view whose centres lie in the second view, more than `tolerance` cells away
    from the same position there; a feature of the position alone therefore finds none. A neighbour (by cosine) is
    correct if its centre is within `tolerance` cells of the true position, in x and in y. Among equally near
    neighbours, the share of correct ones counts.

    Args:
        first: Feature maps of the first crops, not rotated, shape (N, C, h, w).
        second: Feature maps of the second crops, shape (N, C, h, w).
        crop_boxes_src: Boxes of the two crops in source pixels, shape (N, 2, 4), xyxy.
        turns: Quarter turns of the second crops, shape (N,); maps must be square unless all are 0.
        centre: Origin of the directions, shape (C,).
        tolerance: In cells of the second view.

    Returns:
        The share over all queries, and its chance level: the share for a random patch.

    Raises:
        UserError: If there is no query.
    """
    size = torch.tensor(first.shape[-2:])
    height, width = first.shape[-2:]
    centres = cell_centres(height, width)
    correct, by_chance, num_queries = 0.0, 0.0, 0
    # Image by image, because the similarities of all pairs of patches need much memory. Cells serve as pixels.
    for index, boxes in enumerate(crop_boxes_src):
        true_positions = source_to_view(view_to_source(centres, boxes[0], 0, size), boxes[1], turns[index], size)
        inside = ((true_positions >= 0) & (true_positions < size.flip(-1))).all(dim=-1)
        is_query = inside & ((true_positions - centres).abs().amax(dim=-1) > tolerance)
        close = (true_positions[is_query, None] - centres).abs().amax(dim=-1) <= tolerance
        cosines = unit_cells(first[index, None], centre)[0][is_query] @ unit_cells(second[index, None], centre)[0].T
        nearest = cosines >= cosines.amax(dim=1, keepdim=True) - TIE
        correct += ((nearest & close).sum(dim=1) / nearest.sum(dim=1)).sum().item()
        by_chance += close.double().mean(dim=1).sum().item()
        num_queries += int(is_query.sum())
    if not num_queries:
        raise UserError(
            f'no patch lies more than {tolerance} cells away from its position in the other view: decrease '
            '--tolerance, or use images of less extreme shape'
        )
    return correct / num_queries, by_chance / num_queries
