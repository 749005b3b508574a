"""Figure of the regions of an image and of the views that a D3SSL pipeline makes of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Patch

from .drawing import INK, Box, add_panel, add_text, dark_edge, draw_box, draw_numbers, fit_size

WIDTH, MARGIN, GAP, COLUMNS = 1500, 24, 24, 3
HEADER, CAPTION, FOOTER, LEGEND = 52, 27, 34, 44
SIDE = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
REGION_COLOURS = ('#d62728', '#f5c400', '#1f6fe0', '#2ca02c', '#e377c2', '#17becf', '#f08c00', '#9467bd')
CROP_COLOUR, PROPOSAL_COLOUR, HOLE_COLOUR = '#ff9e2c', '#c8c8c8', '#ff3df2'
DASHED, DOTTED = (0, (5, 3)), (0, (1.5, 2))

Sample = Mapping[str, Any]


def region_figure(sample: Sample, title: str = '', background: np.ndarray | None = None) -> Figure:
    """Draws the source with its regions, and every view with regions, holes, filled surroundings and shift.

    A region has the same number and colour everywhere.

    Args:
        sample: Sample of a pipeline with `RegionViews`, before `PackRegionViews`: `img`, `regions`, `regions_src`,
            `regions_fallback` and `views`.
        title: Title of the figure.
        background: A view of another image to show behind a shifted foreground, shape (S, S, 3), uint8. None shows the
            view as it is.

    Returns:
        A figure 1500 px wide.
    """
    views = sample['views']
    rows = -(-(1 + len(views)) // COLUMNS)
    row_height = CAPTION + SIDE + FOOTER
    height = HEADER + rows * row_height + LEGEND
    figure = Figure(figsize=(WIDTH / 100, height / 100), dpi=100, facecolor='white')
    add_text(figure, title, MARGIN, 14, fontsize=13, weight='bold')
    positions = [
        (MARGIN + (SIDE + GAP) * (index % COLUMNS), HEADER + row_height * (index // COLUMNS))
        for index in range(1 + len(views))
    ]
    _draw_source(figure, sample, *positions[0])
    for (name, view), position in zip(views.items(), positions[1:], strict=True):
        _draw_view(figure, name, view, background, *position)
    _add_legend(figure, sample)
    return figure


def region_colour(index: int) -> str:
    """Returns the colour of everything that belongs to a region, by its index from 0."""
    return REGION_COLOURS[index % len(REGION_COLOURS)]


def _draw_source(figure: Figure, sample: Sample, left: float, top: float) -> None:
    image = sample['img']
    add_text(figure, f'source, {image.shape[1]} × {image.shape[0]} px', left, top + 5, weight='bold')
    panel_size = fit_size((image.shape[1], image.shape[0]), (SIDE, SIDE))
    ax = add_panel(figure, image, left, top + CAPTION, *panel_size, interpolation='antialiased')
    pixels_per_unit = np.array([panel_size[0] / image.shape[1], panel_size[1] / image.shape[0]])
    for box_src in sample['regions']:
        draw_box(ax, box_src, PROPOSAL_COLOUR, line_width=0.8)
    crops_src = [sample['views'][name]['crop_box_src'] for name in ('x1', 'x2') if name in sample['views']]
    for crop_src in crops_src:
        draw_box(ax, crop_src, CROP_COLOUR, DASHED, line_width=1.8)
    _draw_regions(ax, sample['regions_src'], pixels_per_unit, crops_src)
    text = f'{len(sample["regions"])} proposed regions, {len(sample["regions_src"])} selected'
    if sample['regions_fallback']:
        text += ' (boxes of a random grid, no proposal is usable)'
    add_text(figure, text, left, top + CAPTION + panel_size[1] + 5, fontsize=9.5)


def _draw_view(
    figure: Figure, name: str, view: Mapping[str, Any], background: np.ndarray | None, left: float, top: float
) -> None:
    image = view['img']
    size = image.shape[1], image.shape[0]
    caption = f'{size[0]} × {size[1]} px' + (', flipped' if view['flipped'] else '')
    if 'foreground' in view:
        caption += f', shift {view["shift"]} px'
        if background is not None:
            image = np.where(view['foreground'][..., None], image, background)
    add_text(figure, name, left, top + 5, weight='bold')
    add_text(figure, caption, left + SIDE, top + 5, ha='right')
    ax = add_panel(figure, image, left, top + CAPTION, SIDE, SIDE, interpolation='antialiased')
    if 'context_mask' in view:
        _hatch(ax, view['context_mask'])
    if 'holes' in view:
        _outline(ax, view['holes'])
    if 'shift' in view:
        _draw_shift(ax, view)
    _draw_regions(ax, view['regions'], np.divide(SIDE, size))
    if 'region_shares' in view:
        _list_shares(figure, view['region_shares'], left, top + CAPTION + SIDE + 5)


def _draw_regions(ax: Axes, boxes: np.ndarray, pixels_per_unit: np.ndarray, crops: Sequence[Box] = ()) -> None:
    """Draws regions with their numbers, and the names of the crops x1 and x2 if given."""
    colours = [region_colour(index) for index in range(len(boxes))]
    for box, colour in zip(boxes, colours, strict=True):
        draw_box(ax, box, colour, line_width=2.4)
    names = [str(index + 1) for index in range(len(boxes))] + ['x1', 'x2'][: len(crops)]
    draw_numbers(ax, [*boxes, *crops], names, colours + [CROP_COLOUR] * len(crops), pixels_per_unit)


def _outline(ax: Axes, mask: np.ndarray) -> None:
    """Draws the border of a mask along the edges of its pixels."""
    padded = np.pad(mask, 1)
    rows, columns = np.nonzero(padded[:, 1:] != padded[:, :-1])
    vertical = [(columns, rows - 1), (columns, rows)]
    rows, columns = np.nonzero(padded[1:] != padded[:-1])
    horizontal = [(columns - 1, rows), (columns, rows)]
    segments = np.concatenate([np.moveaxis(np.array(ends), -1, 0) for ends in (vertical, horizontal)])
    ax.add_collection(LineCollection(list(segments), colors=HOLE_COLOUR, linewidths=1.3, capstyle='projecting'))


def _hatch(ax: Axes, mask: np.ndarray) -> None:
    height, width = mask.shape
    ax.contourf(
        np.arange(width) + 0.5, np.arange(height) + 0.5, mask, levels=[0.5, 1.5], colors='none', hatches=['///']
    )


def _draw_shift(ax: Axes, view: Mapping[str, Any]) -> None:
    """Draws a dotted outline of each region before the shift, and an arrow to its new position."""
    for index, box in enumerate(view['regions'] - np.tile(view['shift'], 2)):
        x1, y1, x2, y2 = box
        draw_box(ax, box, region_colour(index), DOTTED, line_width=1.6)
        if any(view['shift']):
            x, y = (x1 + x2) / 2, (y1 + y2) / 2
            dx, dy = view['shift']
            ax.add_patch(
                FancyArrowPatch(
                    (x, y),
                    (x + dx, y + dy),
                    arrowstyle='-|>',
                    mutation_scale=14,
                    shrinkA=0,
                    shrinkB=0,
                    color=region_colour(index),
                    linewidth=1.8,
                    path_effects=dark_edge(1.8),
                )
            )


def _list_shares(figure: Figure, shares: Sequence[float], left: float, top: float) -> None:
    add_text(figure, 'share cut out:', left, top, fontsize=9.5)
    for index, share in enumerate(shares):
        x = left + 98 + 88 * (index % 4)
        y = top + 15 * (index // 4)
        add_text(figure, '■', x, y, fontsize=9.5, color=region_colour(index))
        add_text(figure, f'{index + 1}: {share:.2f}', x + 14, y, fontsize=9.5)


def _add_legend(figure: Figure, sample: Sample) -> None:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=PROPOSAL_COLOUR, linewidth=1, label='proposed region'),
        Line2D([], [], color=REGION_COLOURS[0], linewidth=2.4, label='selected region, by number'),
        Line2D([], [], color=CROP_COLOUR, linestyle=DASHED, linewidth=1.8, label='crop of x1, x2'),
        Line2D([], [], color=HOLE_COLOUR, linewidth=1.3, label='hole'),
    ]
    if any('context_mask' in view for view in sample['views'].values()):
        handles.append(Patch(facecolor='#7c7468', hatch='///', edgecolor=INK, label='filled surroundings'))
    if any('shift' in view for view in sample['views'].values()):
        handles.append(
            Line2D([], [], color=REGION_COLOURS[0], linestyle=DOTTED, linewidth=1.6, label='before the shift')
        )
    figure.legend(
        handles=handles,
        loc='lower left',
        ncols=len(handles),
        frameon=False,
        fontsize=10,
        bbox_to_anchor=(MARGIN / WIDTH, 4 / (figure.get_size_inches()[1] * 100)),
        borderaxespad=0,
        columnspacing=2.2,
        handlelength=2.4,
    )
