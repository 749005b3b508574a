"""Feature maps as colours."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def pca_colours(feature_maps: Tensor, size: Sequence[int]) -> np.ndarray:
    """Shows the first three principal components of all maps together as red, green and blue.

    All maps share one projection, so similar features have similar colours in all of them. Each component is scaled so
    that 2 % of the cells are darkest and 2 % brightest; a constant component is mid grey.

    Args:
        feature_maps: Feature maps, shape (N, C, h, w).
        size: Height and width of the images; cells are repeated, not interpolated.

    Returns:
        Images, shape (N, height, width, 3), uint8.

    Raises:
        ValueError: If the maps do not have four dimensions, or are not finite.
    """
    if feature_maps.ndim != 4:
        raise ValueError(f'feature maps must be (N, C, h, w), got {tuple(feature_maps.shape)}')
    if not torch.isfinite(feature_maps).all():
        raise ValueError('the feature maps contain values that are not finite')
    num, channels, height, width = feature_maps.shape
    cells = feature_maps.detach().double().cpu().permute(0, 2, 3, 1).reshape(-1, channels)
    components = _principal_components(cells - cells.mean(dim=0))
    colours = torch.stack([_scale(column) for column in components.unbind(dim=1)], dim=1)
    colours = colours.view(num, height, width, 3).permute(0, 3, 1, 2)
    colours = F.interpolate(colours, size=list(size), mode='nearest')
    return colours.permute(0, 2, 3, 1).mul(255).round().to(torch.uint8).numpy()


def _principal_components(centred: Tensor) -> Tensor:
    """Projects (M, C) to (M, 3), zeros for C < 3. The sign makes the largest loading of each component positive."""
    _, axes = torch.linalg.eigh(centred.T @ centred)
    axes = axes.flip(1)[:, :3]
    largest = axes.gather(0, axes.abs().argmax(dim=0, keepdim=True))
    components = centred @ (axes * largest.sign())
    return F.pad(components, (0, 3 - components.shape[1]))


def _scale(values: Tensor) -> Tensor:
    low, high = (float(bound) for bound in np.percentile(values.numpy(), (2, 98)))
    if high - low <= 1e-9 * max(1.0, float(values.abs().max())):
        return torch.full_like(values, 0.5)
    return ((values - low) / (high - low)).clamp(0, 1)
