"""One picture of an image's regions and of what a D3SSL pipeline makes of them in every view."""
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Patch, Rectangle
from matplotlib.patheffects import withStroke

from .drawing import INK, add_panel, add_text, draw_box, draw_numbers, fit_size

WIDTH, MARGIN, GAP, COLUMNS = 1500, 24, 24, 3
HEADER, CAPTION, FOOTER, LEGEND = 52, 27, 34, 44
SIDE = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
COLOURS = ('#d62728', '#f5c400', '#1f6fe0', '#2ca02c', '#e377c2', '#17becf', '#f08c00', '#9467bd')
CROP, OTHER, EDGE = '#ff9e2c', '#c8c8c8', '#ff3df2'
DASHED, DOTTED = (0, (5, 3)), (0, (1.5, 2))


def region_figure(sample, title='', background=None):
    """The source with its regions, and every view with regions, holes, filled surroundings and shift.

    A region has the same number and colour everywhere.

    Args:
        sample: what a pipeline with `RegionViews` leaves before `PackRegionViews`: `img`, `regions`, `regions_src`,
            `regions_fallback` and `views`.
        title: first line of the picture.
        background: `(S, S, 3)` uint8, another image's view that is pasted behind a shifted foreground; None leaves what
            is filled.

    Returns:
        `matplotlib.figure.Figure`, 1500 px wide.
    """
    views = sample['views']
    rows = -(-(1 + len(views)) // COLUMNS)
    row_height = CAPTION + SIDE + FOOTER
    height = HEADER + rows * row_height + LEGEND
    figure = Figure(figsize=(WIDTH / 100, height / 100), dpi=100, facecolor='white')
    add_text(figure, title, MARGIN, 14, fontsize=13, weight='bold')
    places = [(MARGIN + (SIDE + GAP) * (number % COLUMNS), HEADER + row_height * (number // COLUMNS))
              for number in range(1 + len(views))]
    _draw_source(figure, sample, *places[0])
    for (name, view), place in zip(views.items(), places[1:], strict=True):
        _draw_view(figure, name, view, background, *place)
    _add_legend(figure, sample)
    return figure


def region_colour(number):
    """Colour of everything that belongs to region `number`, counted from 0."""
    return COLOURS[number % len(COLOURS)]


def _draw_source(figure, sample, left, top):
    image = sample['img']
    add_text(figure, f'source, {image.shape[1]} × {image.shape[0]} px', left, top + 5, weight='bold')
    panel = fit_size((image.shape[1], image.shape[0]), (SIDE, SIDE))
    axes = add_panel(figure, image, left, top + CAPTION, *panel, interpolation='antialiased')
    pixels_per_unit = np.array([panel[0] / image.shape[1], panel[1] / image.shape[0]])
    for box_src in sample['regions']:
        draw_box(axes, box_src, OTHER, line_width=0.8)
    crops_src = [sample['views'][name]['crop_box_src'] for name in ('x1', 'x2') if name in sample['views']]
    for crop_src in crops_src:
        draw_box(axes, crop_src, CROP, DASHED, line_width=1.8)
    _draw_regions(axes, sample['regions_src'], pixels_per_unit, crops_src)
    text = f'{len(sample["regions"])} regions proposed, {len(sample["regions_src"])} chosen'
    if sample['regions_fallback']:
        text += ' (none usable: boxes of a random grid)'
    add_text(figure, text, left, top + CAPTION + panel[1] + 5, fontsize=9.5)


def _draw_view(figure, name, view, background, left, top):
    image = view['img']
    size = image.shape[1], image.shape[0]
    caption = f'{size[0]} × {size[1]} px' + (', flipped' if view['flipped'] else '')
    if 'foreground' in view:
        caption += f', shift {view["shift"]} px'
        if background is not None:
            image = np.where(view['foreground'][..., None], image, background)
    add_text(figure, name, left, top + 5, weight='bold')
    add_text(figure, caption, left + SIDE, top + 5, ha='right')
    axes = add_panel(figure, image, left, top + CAPTION, SIDE, SIDE, interpolation='antialiased')
    if 'context_mask' in view:
        _hatch(axes, view['context_mask'])
    if 'holes' in view:
        _outline(axes, view['holes'])
    if 'shift' in view:
        _draw_shift(axes, view)
    _draw_regions(axes, view['regions'], np.divide(SIDE, size))
    if 'region_shares' in view:
        _list_shares(figure, view['region_shares'], left, top + CAPTION + SIDE + 5)


def _draw_regions(axes, boxes, pixels_per_unit, crops=()):
    """Regions with their numbers, and the names of the crops x1 and x2 where these are drawn."""
    colours = [region_colour(number) for number in range(len(boxes))]
    for box, colour in zip(boxes, colours, strict=True):
        draw_box(axes, box, colour, line_width=2.4)
    names = [str(number + 1) for number in range(len(boxes))] + ['x1', 'x2'][:len(crops)]
    draw_numbers(axes, [*boxes, *crops], names, colours + [CROP] * len(crops), pixels_per_unit)


def _outline(axes, mask):
    """The border of a mask, along the pixels' edges."""
    padded = np.pad(mask, 1)
    rows, columns = np.nonzero(padded[:, 1:] != padded[:, :-1])
    upright = [(columns, rows - 1), (columns, rows)]
    rows, columns = np.nonzero(padded[1:] != padded[:-1])
    level = [(columns - 1, rows), (columns, rows)]
    segments = np.concatenate([np.moveaxis(np.array(ends), -1, 0) for ends in (upright, level)])
    axes.add_collection(LineCollection(segments, colors=EDGE, linewidths=1.3, capstyle='projecting'))


def _hatch(axes, mask):
    height, width = mask.shape
    axes.contourf(np.arange(width) + 0.5, np.arange(height) + 0.5, mask, levels=[0.5, 1.5], colors='none',
                  hatches=['///'])


def _draw_shift(axes, view):
    """Dashed outlines where the regions have been, and an arrow for each."""
    for number, box in enumerate(view['regions'] - np.tile(view['shift'], 2)):
        x1, y1, x2, y2 = box
        axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=region_colour(number),
                                 linestyle=DOTTED, linewidth=1.6, path_effects=_edge(1.6)))
        if any(view['shift']):
            centre = np.array([x1 + x2, y1 + y2]) / 2
            axes.add_patch(FancyArrowPatch(
                centre, centre + view['shift'], arrowstyle='-|>', mutation_scale=14, shrinkA=0, shrinkB=0,
                color=region_colour(number), linewidth=1.8, path_effects=_edge(1.8)))


def _list_shares(figure, shares, left, top):
    add_text(figure, 'cut in the end:', left, top, fontsize=9.5)
    for number, share in enumerate(shares):
        x = left + 98 + 88 * (number % 4)
        y = top + 15 * (number // 4)
        add_text(figure, '■', x, y, fontsize=9.5, color=region_colour(number))
        add_text(figure, f'{number + 1}: {share:.2f}', x + 14, y, fontsize=9.5)


def _add_legend(figure, sample):
    handles = [
        Line2D([], [], color=OTHER, linewidth=1, label='proposed region'),
        Line2D([], [], color=COLOURS[0], linewidth=2.4, label='chosen region, by number'),
        Line2D([], [], color=CROP, linestyle=DASHED, linewidth=1.8, label='crop of x1, x2'),
        Line2D([], [], color=EDGE, linewidth=1.3, label='hole')]
    if any('context_mask' in view for view in sample['views'].values()):
        handles.append(Patch(facecolor='#7c7468', hatch='///', edgecolor=INK, label='filled surroundings'))
    if any('shift' in view for view in sample['views'].values()):
        handles.append(Line2D([], [], color=COLOURS[0], linestyle=DOTTED, linewidth=1.6, label='before the shift'))
    figure.legend(handles=handles, loc='lower left', ncols=len(handles), frameon=False, fontsize=10,
                  bbox_to_anchor=(MARGIN / WIDTH, 4 / (figure.get_size_inches()[1] * 100)), borderaxespad=0,
                  columnspacing=2.2, handlelength=2.4)


def _edge(line_width):
    return [withStroke(linewidth=line_width + 1.6, foreground=(0, 0, 0, 0.55))]
