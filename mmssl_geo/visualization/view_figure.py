"""Figure of the views of an image and of their overlaps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mmssl_geo.structures import ViewRecord

from .drawing import INK, Box, Point, add_panel, add_text, draw_box, draw_corner, draw_numbers, fit_size
from .view_pairs import ViewPair, view_pairs, view_title

WIDTH, MARGIN, GAP, LEFT_WIDTH = 1500, 24, 14, 600
HEADER, CAPTION, LEGEND = 58, 25, 30
MIN_HEIGHT = 760
MAX_SIDE = {True: 400, False: 205}  # of global and of local views
PAIR_COLOURS = (
    '#1f6fe0',
    '#d62728',
    '#2ca02c',
    '#9467bd',
    '#8c564b',
    '#e377c2',
    '#a8a91c',
    '#17becf',
    '#1b2a6b',
    '#0a7d5a',
)
# colour, line style and line width of global and of local crops
CROP_STYLE: dict[bool, tuple[str, Any, float]] = {True: ('#f08c00', '-', 2.6), False: ('#0ca6a6', (0, (4, 2)), 1.8)}

View = tuple[np.ndarray, ViewRecord]
"""Pixels, shape (H, W, 3), uint8, and record of a view."""


@dataclass(frozen=True)
class Cell:
    """Position of a view in pixels of the figure; its caption is above.

    Attributes:
        view: Index of the view.
        left: Distance from the left of the figure.
        top: Distance from the top of the figure.
        side: Largest width and height of the view.
    """

    view: int
    left: float
    top: float
    side: float


@dataclass(frozen=True)
class SourcePanel:
    """Position of a caption, the source image and a legend, in pixels of the figure.

    Attributes:
        left: Distance from the left of the figure.
        top: Distance from the top of the figure.
        limits: Largest width and height of the image.
    """

    left: float
    top: float
    limits: tuple[float, float]


def view_figure(source: np.ndarray, views: Sequence[View], query: int = 0, title: str = '') -> Figure:
    """Draws the source image with its crops, the views as the net sees them, and the overlaps of one global view.

    Args:
        source: The source image, shape (H, W, 3), uint8, RGB.
        views: All views, global ones first, as a multi-crop pipeline returns them.
        query: Index of the global view whose overlaps are drawn.
        title: Title of the figure.

    Returns:
        A figure 1500 px wide.

    Raises:
        ValueError: If the query is not the index of a global view.
    """
    records = [record for _, record in views]
    pairs = view_pairs(records, query)
    cells, height = _lay_out(records)
    figure = Figure(figsize=(WIDTH / 100, height / 100), dpi=100, facecolor='white')
    add_text(figure, title, MARGIN, 14, fontsize=13, weight='bold')
    first, second = _source_panels(source, height)
    _draw_crops(figure, source, records, first)
    _draw_overlaps(figure, source, records[query], query, pairs, second)
    for cell in cells:
        _draw_view(figure, cell, views[cell.view], query, pairs)
    return figure


def _lay_out(records: Sequence[ViewRecord]) -> tuple[list[Cell], float]:
    """Returns the cells of the views, on the right, and the height of the figure."""
    left, top, cells = MARGIN + LEFT_WIDTH + 2 * GAP, float(HEADER), []
    width = WIDTH - MARGIN - left
    for is_global, min_columns in ((True, 2), (False, 4)):
        indices = [index for index, record in enumerate(records) if record.is_global == is_global]
        columns = max(min_columns, int(np.ceil(len(indices) / 2)))
        side = min((width - GAP * (columns - 1)) / columns, MAX_SIDE[is_global])
        for start in range(0, len(indices), columns):
            for column, index in enumerate(indices[start : start + columns]):
                cells.append(Cell(index, left + column * (side + GAP), top + CAPTION, side))
            top += CAPTION + side + GAP
    return cells, max(top - GAP + MARGIN, MIN_HEIGHT)


def _source_panels(source: np.ndarray, height: float) -> tuple[SourcePanel, SourcePanel]:
    """Returns two panels for the source, side by side for portrait images, otherwise one above the other."""
    if source.shape[0] > source.shape[1]:
        limits = ((LEFT_WIDTH - GAP) / 2, height - HEADER - CAPTION - 3 * LEGEND - MARGIN)
        return SourcePanel(MARGIN, HEADER, limits), SourcePanel(MARGIN + limits[0] + GAP, HEADER, limits)
    limits = (LEFT_WIDTH, (height - HEADER - 2 * LEGEND - MARGIN) / 2 - CAPTION)
    return (SourcePanel(MARGIN, HEADER, limits), SourcePanel(MARGIN, HEADER + CAPTION + limits[1] + LEGEND, limits))


def pair_colour(view: int) -> str:
    """Returns the colour of everything that belongs to the pair with this view."""
    return PAIR_COLOURS[view % len(PAIR_COLOURS)]


def _draw_crops(figure: Figure, source: np.ndarray, records: Sequence[ViewRecord], panel: SourcePanel) -> None:
    ax, pixels_per_unit = _draw_source(
        figure,
        source,
        panel,
        f'Crops (source {source.shape[1]} × {source.shape[0]} px)',
        [_line(*CROP_STYLE[True], 'global crop'), _line(*CROP_STYLE[False], 'local crop')],
    )
    for record in sorted(records, key=lambda record: record.is_global):  # global crops last, on top
        draw_box(ax, record.crop_box_src, *CROP_STYLE[record.is_global])
    draw_numbers(
        ax,
        [record.crop_box_src for record in records],
        [str(index) for index in range(len(records))],
        [CROP_STYLE[record.is_global][0] for record in records],
        pixels_per_unit,
    )


def _draw_overlaps(
    figure: Figure,
    source: np.ndarray,
    query_record: ViewRecord,
    query: int,
    pairs: Sequence[ViewPair],
    panel: SourcePanel,
) -> None:
    ax, pixels_per_unit = _draw_source(
        figure,
        source,
        panel,
        f'Overlaps with global view {query}',
        [
            _line(CROP_STYLE[True][0], '-', 3, f'crop {query}'),
            _line(INK, '-', 2, 'overlap, in the colour of the view'),
            Line2D([], [], marker='o', linestyle='', color=INK, markersize=8, label='top left in the source'),
        ],
    )
    draw_box(ax, query_record.crop_box_src, CROP_STYLE[True][0], line_width=3)
    _draw_pair_boxes(ax, pairs, [pair.box_src for pair in pairs], [pair.box_src[:2] for pair in pairs], pixels_per_unit)


def _draw_source(
    figure: Figure, source: np.ndarray, panel: SourcePanel, caption: str, handles: list[Line2D]
) -> tuple[Axes, np.ndarray]:
    """Draws a caption, the source and a legend below it; returns the axes and figure pixels per source pixel."""
    width, height = fit_size((source.shape[1], source.shape[0]), panel.limits)
    top = panel.top + CAPTION
    add_text(figure, caption, panel.left, panel.top + 4)
    ax = add_panel(figure, source, panel.left, top, width, height, interpolation='antialiased')
    figure_width, figure_height = figure.get_size_inches() * figure.dpi
    figure.legend(
        handles=handles,
        loc='upper left',
        ncols=len(handles) if panel.limits[0] == LEFT_WIDTH else 1,
        frameon=False,
        bbox_to_anchor=(panel.left / figure_width, 1 - (top + height + 4) / figure_height),
        fontsize=9.5,
        borderaxespad=0,
        borderpad=0,
        handlelength=2.0,
        columnspacing=1.5,
    )
    return ax, np.array([width / source.shape[1], height / source.shape[0]])


def _draw_view(figure: Figure, cell: Cell, view: View, query: int, pairs: Sequence[ViewPair]) -> None:
    image, record = view
    is_query = cell.view == query
    colour = CROP_STYLE[True][0] if is_query else pair_colour(cell.view)
    caption_top = cell.top - CAPTION + 4
    add_text(figure, '■', cell.left, caption_top, color=colour)
    add_text(
        figure,
        view_title(cell.view, record) + (' (query)' if is_query else ''),
        cell.left + 17,
        caption_top,
        weight='bold' if is_query else 'normal',
    )
    height, width = record.view_size
    panel_size = fit_size((width, height), (cell.side, cell.side))
    ax = add_panel(figure, image, cell.left, cell.top, *panel_size)
    pixels_per_unit = np.array([panel_size[0] / width, panel_size[1] / height])
    if is_query:
        _draw_pair_boxes(
            ax, pairs, [pair.box_query for pair in pairs], [pair.corner_query for pair in pairs], pixels_per_unit
        )
    for pair in pairs:
        if pair.view == cell.view:
            draw_box(ax, pair.box_view, colour, line_width=3)
            draw_corner(ax, pair.corner_view, colour)


def _draw_pair_boxes(
    ax: Axes, pairs: Sequence[ViewPair], boxes: Sequence[Box], corners: Sequence[Point], pixels_per_unit: np.ndarray
) -> None:
    colours = [pair_colour(pair.view) for pair in pairs]
    for box, corner, colour in zip(boxes, corners, colours, strict=True):
        draw_box(ax, box, colour, line_width=1.8, fill=0.07)
        draw_corner(ax, corner, colour)
    draw_numbers(ax, boxes, [str(pair.view) for pair in pairs], colours, pixels_per_unit, corners)


def _line(colour: str, style: Any, width: float, label: str) -> Line2D:  # noqa: ANN401  (a name or a dash pattern)
    return Line2D([], [], color=colour, linestyle=style, linewidth=width, label=label)
