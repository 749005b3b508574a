"""Features as directions from a common centre, the basis of all cosine similarities."""

import torch
from torch import Tensor


def unit_cells(maps: Tensor, centre: Tensor) -> Tensor:
    """Converts the cells of feature maps to unit vectors from a centre.

    Without a centre, the offset shared by all features makes any two cells look alike.

    Args:
        maps: Feature maps, shape (N, C, h, w).
        centre: Origin of the directions, shape (C,).

    Returns:
        Unit vectors in row-major order, shape (N, h * w, C); zero for cells that equal the centre up to rounding.
    """
    cells = maps.flatten(2).transpose(1, 2)
    offsets = cells - centre
    length = offsets.norm(dim=-1, keepdim=True)
    rounding = 1e-5 * (cells.norm(dim=-1, keepdim=True) + centre.norm())
    return torch.where(length > rounding, offsets / length, 0.0)


def unit_vectors(features: Tensor, centre: Tensor) -> Tensor:
    """Converts features, shape (N, C), to unit vectors from a centre, shape (C,), like `unit_cells`."""
    return unit_cells(features[..., None, None], centre)[:, 0]
