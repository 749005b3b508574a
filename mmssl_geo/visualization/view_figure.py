"""One picture of an image's views and of what they have in common."""
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .drawing import INK, add_panel, add_text, draw_box, draw_corner, draw_numbers, fit_size
from .view_pairs import view_pairs, view_title

WIDTH, MARGIN, GAP, LEFT_WIDTH = 1500, 24, 14, 600
HEADER, CAPTION, LEGEND = 58, 25, 30
MAX_SIDE = {True: 400, False: 205}  # of a global and of a local view
PAIR_COLOURS = (
    '#1f6fe0', '#d62728', '#2ca02c', '#9467bd', '#8c564b', '#e377c2', '#a8a91c', '#17becf', '#1b2a6b', '#0a7d5a')
CROP_STYLE = {True: ('#f08c00', '-', 2.6), False: ('#0ca6a6', (0, (4, 2)), 1.8)}


@dataclass(frozen=True)
class Cell:
    """Where a view stands in the picture, in pixels of the figure; its caption stands above."""
    number: int
    left: float
    top: float
    side: float


@dataclass(frozen=True)
class Place:
    """Where the source stands, in pixels of the figure: caption, picture of at most `room` (width, height), legend."""
    left: float
    top: float
    room: tuple


def view_figure(source, views, query=0, title=''):
    """The source image with its crops, the views as the net sees them, and the boxes of the query view's pairs.

    Args:
        source: `(H, W, 3)` uint8 RGB.
        views: `((H, W, 3) uint8, ViewRecord)` of every view, global ones first, as a multi-crop pipeline leaves them.
        query: number of the global view whose pairs are drawn.
        title: first line of the picture.

    Returns:
        `matplotlib.figure.Figure`, 1500 px wide.

    Raises:
        ValueError: if the query is not the number of a global view.
    """
    records = [record for _, record in views]
    pairs = view_pairs(records, query)
    cells, height = _lay_out(records)
    figure = Figure(figsize=(WIDTH / 100, height / 100), dpi=100, facecolor='white')
    add_text(figure, title, MARGIN, 14, fontsize=13, weight='bold')
    first, second = _source_places(source, height)
    _draw_crops(figure, source, records, first)
    _draw_common_parts(figure, source, records[query], query, pairs, second)
    for cell in cells:
        _draw_view(figure, cell, views[cell.number], query, pairs)
    return figure


def _lay_out(records):
    """Cells of the views, at the right, and the height of the figure."""
    left, top, cells = MARGIN + LEFT_WIDTH + 2 * GAP, HEADER, []
    room = WIDTH - MARGIN - left
    for is_global, min_columns in ((True, 2), (False, 4)):
        numbers = [number for number, record in enumerate(records) if record.is_global == is_global]
        columns = max(min_columns, int(np.ceil(len(numbers) / 2)))
        side = min((room - GAP * (columns - 1)) / columns, MAX_SIDE[is_global])
        for start in range(0, len(numbers), columns):
            for column, number in enumerate(numbers[start:start + columns]):
                cells.append(Cell(number, left + column * (side + GAP), top + CAPTION, side))
            top += CAPTION + side + GAP
    return cells, max(top - GAP + MARGIN, 760)


def _source_places(source, height):
    """Two places for the source, one above the other, or side by side if it stands upright."""
    if source.shape[0] > source.shape[1]:
        room = ((LEFT_WIDTH - GAP) / 2, height - HEADER - CAPTION - 3 * LEGEND - MARGIN)
        return Place(MARGIN, HEADER, room), Place(MARGIN + room[0] + GAP, HEADER, room)
    room = (LEFT_WIDTH, (height - HEADER - 2 * LEGEND - MARGIN) / 2 - CAPTION)
    return Place(MARGIN, HEADER, room), Place(MARGIN, HEADER + CAPTION + room[1] + LEGEND, room)


def pair_colour(view):
    """Colour of everything that belongs to the pair with this view."""
    return PAIR_COLOURS[view % len(PAIR_COLOURS)]


def _draw_crops(figure, source, records, place):
    axes, pixels_per_unit = _source_panel(
        figure, source, place, f'Crops (source {source.shape[1]} × {source.shape[0]} px)',
        [_line(*CROP_STYLE[True], 'global crop'), _line(*CROP_STYLE[False], 'local crop')])
    for record in sorted(records, key=lambda record: record.is_global):  # the large ones last, on top
        draw_box(axes, record.crop_box_src, *CROP_STYLE[record.is_global])
    draw_numbers(
        axes, [record.crop_box_src for record in records], [str(number) for number in range(len(records))],
        [CROP_STYLE[record.is_global][0] for record in records], pixels_per_unit)


def _draw_common_parts(figure, source, query_record, query, pairs, place):
    axes, pixels_per_unit = _source_panel(figure, source, place, f'Common parts with global view {query}', [
        _line(CROP_STYLE[True][0], '-', 3, f'crop {query}'),
        _line(INK, '-', 2, 'common part, in the colour of the view'),
        Line2D([], [], marker='o', linestyle='', color=INK, markersize=8, label='top left in the source')])
    draw_box(axes, query_record.crop_box_src, CROP_STYLE[True][0], line_width=3)
    _draw_pair_boxes(axes, pairs, [pair.box_src for pair in pairs], [pair.box_src[:2] for pair in pairs],
                     pixels_per_unit)


def _source_panel(figure, source, place, caption, handles):
    """Caption, the source, and a legend right below it; returns the axes and figure pixels per source pixel."""
    width, height = fit_size((source.shape[1], source.shape[0]), place.room)
    top = place.top + CAPTION
    add_text(figure, caption, place.left, place.top + 4)
    axes = add_panel(figure, source, place.left, top, width, height, interpolation='antialiased')
    figure_width, figure_height = figure.get_size_inches() * figure.dpi
    figure.legend(
        handles=handles, loc='upper left', ncols=len(handles) if place.room[0] == LEFT_WIDTH else 1, frameon=False,
        bbox_to_anchor=(place.left / figure_width, 1 - (top + height + 4) / figure_height), fontsize=9.5,
        borderaxespad=0, borderpad=0, handlelength=2., columnspacing=1.5)
    return axes, np.array([width / source.shape[1], height / source.shape[0]])


def _draw_view(figure, cell, view, query, pairs):
    image, record = view
    is_query = cell.number == query
    colour = CROP_STYLE[True][0] if is_query else pair_colour(cell.number)
    caption_top = cell.top - CAPTION + 4
    add_text(figure, '■', cell.left, caption_top, color=colour)
    add_text(figure, view_title(cell.number, record) + (' (query)' if is_query else ''), cell.left + 17, caption_top,
             weight='bold' if is_query else 'normal')
    height, width = record.view_size
    panel = fit_size((width, height), (cell.side, cell.side))
    axes = add_panel(figure, image, cell.left, cell.top, *panel)
    pixels_per_unit = np.array([panel[0] / width, panel[1] / height])
    if is_query:
        _draw_pair_boxes(axes, pairs, [pair.box_query for pair in pairs], [pair.corner_query for pair in pairs],
                         pixels_per_unit)
    for pair in pairs:
        if pair.view == cell.number:
            draw_box(axes, pair.box_view, colour, line_width=3)
            draw_corner(axes, pair.corner_view, colour)


def _draw_pair_boxes(axes, pairs, boxes, corners, pixels_per_unit):
    colours = [pair_colour(pair.view) for pair in pairs]
    for box, corner, colour in zip(boxes, corners, colours, strict=True):
        draw_box(axes, box, colour, line_width=1.8, fill=0.07)
        draw_corner(axes, corner, colour)
    draw_numbers(axes, boxes, [str(pair.view) for pair in pairs], colours, pixels_per_unit, corners)


def _line(colour, style, width, label):
    return Line2D([], [], color=colour, linestyle=style, linewidth=width, label=label)
