"""Feature maps as colours."""
import numpy as np
import torch
import torch.nn.functional as F


def pca_colours(feature_maps, size):
    """The three main directions of all maps' features together as red, green and blue.

    One projection serves all maps, so like features have like colours in all of them. Each direction is scaled so
    that 2 % of the cells are darkest and 2 % brightest; one along which the features do not differ is mid grey.

    Args:
        feature_maps: `(N, C, h, w)`.
        size: `(height, width)` of the pictures; cells are repeated, not blended.

    Returns:
        np.ndarray: `(N, height, width, 3)` uint8.

    Raises:
        ValueError: if the maps have another number of dimensions, or are not finite.
    """
    if feature_maps.ndim != 4:
        raise ValueError(f'feature maps must be (N, C, h, w), got {tuple(feature_maps.shape)}')
    if not torch.isfinite(feature_maps).all():
        raise ValueError('the feature maps hold values that are not finite')
    num, channels, height, width = feature_maps.shape
    cells = feature_maps.detach().double().cpu().permute(0, 2, 3, 1).reshape(-1, channels)
    components = _main_components(cells - cells.mean(dim=0))
    colours = torch.stack([_scale(column) for column in components.unbind(dim=1)], dim=1)
    colours = colours.view(num, height, width, 3).permute(0, 3, 1, 2)
    colours = F.interpolate(colours, size=tuple(size), mode='nearest')
    return colours.permute(0, 2, 3, 1).mul(255).round().to(torch.uint8).numpy()


def _main_components(centred):
    """`(M, C)` -> `(M, 3)` coordinates; columns of zeros where C < 3. The sign makes the largest loading positive."""
    _, axes = torch.linalg.eigh(centred.T @ centred)
    axes = axes.flip(1)[:, :3]
    largest = axes.gather(0, axes.abs().argmax(dim=0, keepdim=True))
    components = centred @ (axes * largest.sign())
    return F.pad(components, (0, 3 - components.shape[1]))


def _scale(values):
    low, high = (float(bound) for bound in np.percentile(values.numpy(), (2, 98)))
    if high - low <= 1e-9 * max(1., float(values.abs().max())):
        return torch.full_like(values, 0.5)
    return ((values - low) / (high - low)).clamp(0, 1)
