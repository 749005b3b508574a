"""Panels placed by pixels, boxes on photos, and labels that keep clear of each other."""
import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

INK = '#222222'


def add_panel(figure, image, left, top, width, height, interpolation='bicubic'):
    """Axes that show an image; place and size are pixels of the figure, from its top left corner.

    The axes' data coordinates are the image's continuous pixel coordinates: the first pixel spans 0 to 1.
    """
    figure_width, figure_height = figure.get_size_inches() * figure.dpi
    axes = figure.add_axes((
        left / figure_width, 1 - (top + height) / figure_height, width / figure_width, height / figure_height))
    rows, columns = np.asarray(image).shape[:2]
    axes.imshow(image, extent=(0, columns, rows, 0), aspect='auto', interpolation=interpolation)
    axes.set_axis_off()
    return axes


def add_text(figure, text, left, top, **style):
    """Text whose upper left corner lies at a pixel of the figure."""
    width, height = figure.get_size_inches() * figure.dpi
    style = {'fontsize': 10.5, 'color': INK, 'va': 'top', 'ha': 'left', **style}
    return figure.text(left / width, 1 - top / height, text, **style)


def fit_size(size, room):
    """Largest `(width, height)` of the shape of `size` within `room`."""
    scale = min(room[0] / size[0], room[1] / size[1])
    return max(1., size[0] * scale), max(1., size[1] * scale)


def draw_box(axes, box, colour, line_style='-', line_width=2., fill=0.):
    """Outline of a box `(x1, y1, x2, y2)`, dark-edged so that it shows on any photo; `fill` is the inside's opacity."""
    x1, y1, x2, y2 = box
    if fill:
        axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, facecolor=colour, alpha=fill, edgecolor='none'))
    axes.add_patch(Rectangle(
        (x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linestyle=line_style, linewidth=line_width,
        clip_on=False, path_effects=[withStroke(linewidth=line_width + 1.6, foreground=(0, 0, 0, 0.55))]))


def draw_corner(axes, point, colour):
    """Marks the corner of a box that is top left in the source image."""
    axes.plot(*point, marker='o', markersize=8, color=colour, markeredgecolor='white', markeredgewidth=1.5,
              clip_on=False, zorder=5)


def draw_numbers(axes, boxes, texts, colours, pixels_per_unit, keep_clear=()):
    """One small tag a box, within it, clear of the other tags and of the points `keep_clear` where there is room."""
    scaled = np.asarray(boxes, dtype=float).reshape(-1, 4) * np.tile(pixels_per_unit, 2)
    points = np.asarray(keep_clear, dtype=float).reshape(-1, 2) * pixels_per_unit
    sizes = [(8 + 7.5 * len(text), 17) for text in texts]
    for tag, text, colour in zip(place_tags(scaled, sizes, points), texts, colours, strict=True):
        x, y = (np.add(tag[:2], tag[2:]) / 2) / pixels_per_unit
        axes.text(
            x, y, text, fontsize=9, color='white', weight='bold', ha='center', va='center_baseline', zorder=6,
            bbox=dict(boxstyle='round,pad=0.22', facecolor=colour, edgecolor='white', linewidth=0.7))


def place_tags(boxes, sizes, points=()):
    """Places a tag just within each box so that tags keep clear of each other.

    Corners are tried first, then the rest of the rim, then the inside; where all are taken, the least covered one.

    Args:
        boxes: `(N, 4)` in pixels.
        sizes: `(width, height)` of the N tags.
        points: `(x, y)` to keep clear of, by 7 px.

    Returns:
        list of N tags `(x1, y1, x2, y2)`.
    """
    taken = [(x - 7, y - 7, x + 7, y + 7) for x, y in points]
    tags = []
    for box, size in zip(boxes, sizes, strict=True):
        candidates = [(x, y, x + size[0], y + size[1]) for x, y in _candidates(box, size)]
        tags.append(min(candidates, key=lambda tag: sum(_common_area(tag, other) for other in taken)))
        taken.append(tags[-1])
    return tags


def _candidates(box, size):
    """Upper left corners of a tag within a box, the favourite ones first."""
    x1, y1, x2, y2 = box
    x2, y2 = max(x1, x2 - size[0] - 3), max(y1, y2 - size[1] - 3)
    xs, ys = np.linspace(min(x1 + 3, x2), x2, 9), np.linspace(min(y1 + 3, y2), y2, 9)
    corners = [(xs[i], ys[j]) for j in (0, -1) for i in (0, -1)]
    rim = [(x, y) for y in (ys[0], ys[-1]) for x in xs[1:-1]] + [(x, y) for y in ys[1:-1] for x in (xs[0], xs[-1])]
    return corners + rim + [(x, y) for y in ys[1:-1] for x in xs[1:-1]]


def _common_area(a, b):
    return max(0., min(a[2], b[2]) - max(a[0], b[0])) * max(0., min(a[3], b[3]) - max(a[1], b[1]))
