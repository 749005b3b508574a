"""Panels placed by pixels, boxes on photos, and labels that do not overlap."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.text import Text

INK, GREY, GRID = '#222222', '#6b6b6b', '#e6e6e6'
# palette of Okabe and Ito for colour-blind readers
PALETTE = ('#0072B2', '#E69F00', '#009E73', '#CC79A7', '#56B4E9', '#D55E00', '#999999')
POINT_RADIUS = 7  # pixels around a point that tags avoid

Box = Sequence[float] | np.ndarray
"""A box `(x1, y1, x2, y2)`."""

Point = tuple[float, float]


def add_panel(
    figure: Figure,
    image: np.ndarray,
    left: float,
    top: float,
    width: float,
    height: float,
    interpolation: str = 'bicubic',
) -> Axes:
    """Adds axes that show an image.

    The data coordinates of the axes are the continuous pixel coordinates of the image: the first pixel spans 0 to 1.

    Args:
        figure: The figure.
        image: The image, shape (H, W, 3).
        left: Distance from the left of the figure, in pixels of the figure.
        top: Distance from the top of the figure.
        width: Width in pixels of the figure.
        height: Height in pixels of the figure.
        interpolation: Interpolation of matplotlib.
    """
    figure_width, figure_height = figure.get_size_inches() * figure.dpi
    ax = figure.add_axes(
        (left / figure_width, 1 - (top + height) / figure_height, width / figure_width, height / figure_height)
    )
    rows, columns = np.asarray(image).shape[:2]
    ax.imshow(image, extent=(0, columns, rows, 0), aspect='auto', interpolation=interpolation)
    ax.set_axis_off()
    return ax


def add_text(figure: Figure, text: str, left: float, top: float, **style: Any) -> Text:  # noqa: ANN401
    """Adds text whose upper left corner is at a pixel of the figure; `style` goes to `Figure.text`."""
    width, height = figure.get_size_inches() * figure.dpi
    style = {'fontsize': 10.5, 'color': INK, 'va': 'top', 'ha': 'left', **style}
    return figure.text(left / width, 1 - top / height, text, **style)


def fit_size(size: tuple[float, float], limits: tuple[float, float]) -> tuple[float, float]:
    """Scales `(width, height)` to the largest size within the limits, with the same aspect ratio."""
    scale = min(limits[0] / size[0], limits[1] / size[1])
    return max(1.0, size[0] * scale), max(1.0, size[1] * scale)


def draw_box(
    ax: Axes,
    box: Box,
    colour: str,
    line_style: Any = '-',  # noqa: ANN401  (a name or a dash pattern)
    line_width: float = 2.0,
    fill: float = 0.0,
) -> None:
    """Outlines a box with a dark edge that is visible on any photo.

    Args:
        ax: The axes.
        box: The box.
        colour: Colour of the line.
        line_style: Line style of matplotlib.
        line_width: Line width in points.
        fill: Opacity of the interior.
    """
    x1, y1, x2, y2 = box
    if fill:
        ax.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, facecolor=colour, alpha=fill, edgecolor='none'))
    ax.add_patch(
        Rectangle(
            (x1, y1),
            x2 - x1,
            y2 - y1,
            fill=False,
            edgecolor=colour,
            linestyle=line_style,
            linewidth=line_width,
            clip_on=False,
            path_effects=dark_edge(line_width),
        )
    )


def dark_edge(line_width: float) -> list[withStroke]:
    """Returns path effects that add a dark edge to a line."""
    return [withStroke(linewidth=line_width + 1.6, foreground=(0, 0, 0, 0.55))]


def draw_corner(ax: Axes, point: Point, colour: str) -> None:
    """Marks the corner of a box that is top left in the source image."""
    ax.plot(
        *point,
        marker='o',
        markersize=8,
        color=colour,
        markeredgecolor='white',
        markeredgewidth=1.5,
        clip_on=False,
        zorder=5,
    )


def draw_numbers(
    ax: Axes,
    boxes: Sequence[Box] | np.ndarray,
    texts: Sequence[str],
    colours: Sequence[str],
    pixels_per_unit: np.ndarray,
    points: Sequence[Point] | np.ndarray = (),
) -> None:
    """Draws a tag in each box that avoids the other tags and the given points where possible.

    Args:
        ax: The axes.
        boxes: Boxes, shape (N, 4), xyxy.
        texts: Text of each tag.
        colours: Colour of each tag.
        pixels_per_unit: Pixels of the figure per data unit, in x and y.
        points: Points to avoid, shape (M, 2).
    """
    boxes_px = np.asarray(boxes, dtype=float).reshape(-1, 4) * np.tile(pixels_per_unit, 2)
    points_px = np.asarray(points, dtype=float).reshape(-1, 2) * pixels_per_unit
    sizes = [(8 + 7.5 * len(text), 17.0) for text in texts]
    for tag, text, colour in zip(place_tags(boxes_px, sizes, points_px), texts, colours, strict=True):
        x, y = (np.add(tag[:2], tag[2:]) / 2) / pixels_per_unit
        ax.text(
            x,
            y,
            text,
            fontsize=9,
            color='white',
            weight='bold',
            ha='center',
            va='center_baseline',
            zorder=6,
            bbox=dict(boxstyle='round,pad=0.22', facecolor=colour, edgecolor='white', linewidth=0.7),
        )


def place_tags(
    boxes: Sequence[Box] | np.ndarray, sizes: Sequence[tuple[float, float]], points: Sequence[Point] | np.ndarray = ()
) -> list[tuple[float, float, float, float]]:
    """Places a tag inside each box so that tags do not overlap.

    Corners are tried first, then the border, then the interior. If everything is occupied, the position with the
    smallest overlap is used.

    Args:
        boxes: N boxes in pixels.
        sizes: Width and height of each tag in pixels.
        points: Points to avoid by 7 px.

    Returns:
        The boxes of the N tags.
    """
    occupied: list[Box] = [(x - POINT_RADIUS, y - POINT_RADIUS, x + POINT_RADIUS, y + POINT_RADIUS) for x, y in points]
    tags = []
    for box, (width, height) in zip(boxes, sizes, strict=True):
        candidates = [(x, y, x + width, y + height) for x, y in _tag_corners(box, (width, height))]
        tags.append(min(candidates, key=lambda tag: sum(_overlap(tag, other) for other in occupied)))
        occupied.append(tags[-1])
    return tags


def _tag_corners(box: Box, size: tuple[float, float]) -> Iterator[Point]:
    """Yields upper left corners of a tag inside a box, in order of preference."""
    x1, y1, x2, y2 = box
    x2, y2 = max(x1, x2 - size[0] - 3), max(y1, y2 - size[1] - 3)
    xs, ys = np.linspace(min(x1 + 3, x2), x2, 9), np.linspace(min(y1 + 3, y2), y2, 9)
    yield from ((xs[i], ys[j]) for j in (0, -1) for i in (0, -1))
    yield from ((x, y) for y in (ys[0], ys[-1]) for x in xs[1:-1])
    yield from ((x, y) for y in ys[1:-1] for x in (xs[0], xs[-1]))
    yield from ((x, y) for y in ys[1:-1] for x in xs[1:-1])


def _overlap(a: Box, b: Box) -> float:
    """Returns the area of the intersection of two boxes."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
