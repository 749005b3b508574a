"""A figure of attention maps: the image, the heads and their mean, one row per query."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from mmssl_geo.utils.io import atomic_path

from .drawing import Point, add_panel, add_text

SIDE, GAP, TITLE = 200, 8, 22  # pixels of the figure
DPI = 100


def attention_figure(
    image: np.ndarray, maps: np.ndarray, stride: int, names: Sequence[str], points: Sequence[Point | None]
) -> Figure:
    """Draws attention maps. Each map is scaled to its own maximum.

    Args:
        image: RGB image, shape (H, W, 3), uint8.
        maps: Attention maps, shape (Q, heads, h, w), of the image padded to multiples of the stride.
        stride: Pixels of the image per cell of a map.
        names: Names of the queries.
        points: Points of the queries in pixels of the image, x and y; None for [CLS].
    """
    rows, heads = maps.shape[:2]
    height, width = image.shape[:2]
    scale = SIDE / max(height, width)
    panel = width * scale, height * scale
    columns = heads + 2
    size = columns * (panel[0] + GAP) + GAP, rows * (panel[1] + TITLE + GAP) + GAP
    figure = Figure(figsize=(size[0] / DPI, size[1] / DPI), dpi=DPI)
    for row, (name, point) in enumerate(zip(names, points, strict=True)):
        top = GAP + row * (panel[1] + TITLE + GAP)
        panels = [image, maps[row].mean(axis=0), *maps[row]]
        titles = [name, 'mean of the heads', *(f'head {head}' for head in range(heads))]
        for column, (content, title) in enumerate(zip(panels, titles, strict=True)):
            left = GAP + column * (panel[0] + GAP)
            pixels = content if content.ndim == 3 else _as_image(content, stride, (height, width))
            ax = add_panel(figure, pixels, left, top + TITLE, *panel, interpolation='nearest')
            add_text(figure, title, left, top + 4, fontsize=9)
            if point is not None:
                ax.autoscale(False)
                ax.plot(*point, 'o', color='white', markeredgecolor='black', markersize=5)
    return figure


def write_attention_figure(path: str | Path, figure: Figure) -> None:
    """Writes a figure to a .png file; an interrupted call leaves no file."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format='png')


def _as_image(attention: np.ndarray, stride: int, size: tuple[int, int]) -> np.ndarray:
    """Repeats the cells of a map (h, w), cuts the padding off and colours the values."""
    cells = attention.repeat(stride, axis=0).repeat(stride, axis=1)[: size[0], : size[1]]
    return colormaps['viridis'](cells / max(float(cells.max()), 1e-12))[..., :3]
