"""One picture of a whole run: what it learnt from, how the losses went, what the features show, what came out."""
from pathlib import Path

from matplotlib.figure import Figure

from .curves import plot_gauge, plot_losses, plot_schedules

MAX_VIEWS, MAX_PHOTOS, COLUMNS = 12, 6, 6
CURVES, HEADING, TITLE, ROW = 3.2, 0.3, 0.28, 2.63  # heights in inches
LEFT, RIGHT = 0.02, 0.985
GREY = '#6b6b6b'


def report_figure(out_png, scalars, view_images, photo_and_feature_pairs, table_rows):
    """Writes the report of a run as a picture 1500 px wide.

    Args:
        out_png: file to write; its folder is made.
        scalars: of `read_scalars`. Curves are drawn of the losses (`loss*`), of `feature_spread` and
            `effective_rank`, of `lr` and `momentum`, as far as they were logged.
        view_images: `(title, (h, w, 3) uint8 RGB)` of some views; at most 12 are shown.
        photo_and_feature_pairs: triples `(photo, pretrained, random)` of `(H, W, 3)` uint8 RGB: a photo and its
            features as colours (`pca_colours`) of the pretrained and of the random net; at most 6 are shown.
        table_rows: `(name, random, pretrained)` with the results in per cent, None where there is none.
    """
    blocks = [
        ('views of one image, as the net sees them', list(view_images[:MAX_VIEWS])),
        ('photos, and the three main directions of their features as colours',
         [titled for triple in photo_and_feature_pairs[:MAX_PHOTOS]
          for titled in zip(('photo', 'features, pretrained', 'features, random'), triple, strict=True)])]
    blocks = [(heading, images) for heading, images in blocks if images]
    heights = [CURVES] + [_image_rows_height(len(images)) for _, images in blocks]
    figure = Figure(figsize=(15, sum(heights)), dpi=100, facecolor='white')
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    _draw_curves_and_table(parts[0], scalars, table_rows)
    for part, (heading, images) in zip(parts[1:], blocks, strict=True):
        _draw_image_rows(part, heading, images)
    Path(out_png).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out_png)


def _draw_curves_and_table(part, scalars, table_rows):
    grid = part.add_gridspec(
        2, 3, width_ratios=(1.25, 1., 1.15), left=0.045, right=0.985, top=0.87, bottom=0.15, wspace=0.3, hspace=0.75)
    plot_losses(part.add_subplot(grid[:, 0]), scalars)
    plot_gauge(part.add_subplot(grid[0, 1]), scalars)
    plot_schedules(part.add_subplot(grid[1, 1]), scalars)
    _draw_table(part.add_subplot(grid[:, 2]), table_rows)


def _draw_table(axes, rows):
    """Results in three columns; the better of two is bold."""
    axes.set_axis_off()
    axes.set_title('results, fine-tuned from', fontsize=11, loc='left')
    step = min(0.14, 1 / (len(rows) + 1))
    _write_row(axes, 1 - step / 2, ('', 'random weights', 'GTSA'), ('normal',) * 3, GREY)
    axes.axhline(1 - step, color=GREY, linewidth=0.8)
    for number, (name, random, pretrained) in enumerate(rows, 1):
        y = 1 - (number + 0.5) * step
        best = max((value for value in (random, pretrained) if value is not None), default=None)
        weights = ['bold' if None not in (random, pretrained) and value == best else 'normal'
                   for value in (random, pretrained)]
        if number % 2 == 0:
            axes.axhspan(y - step / 2, y + step / 2, color='#f3f3f3', zorder=0)
        _write_row(axes, y, (name, _format(random), _format(pretrained)), ('normal', *weights))
    axes.set(xlim=(0, 1), ylim=(0, 1))


def _write_row(axes, y, texts, weights, colour='#222222'):
    for x, text, weight, align in zip((0.01, 0.76, 0.98), texts, weights, ('left', 'right', 'right'), strict=True):
        axes.text(x, y, text, fontsize=10.5, weight=weight, color=colour, ha=align, va='center')


def _format(value):
    return '–' if value is None else f'{value:.1f}'


def _image_rows_height(num_images):
    """Inches that `_draw_image_rows` needs."""
    return HEADING + ROW * -(-num_images // COLUMNS)


def _draw_image_rows(part, heading, titled_images):
    """Rows of pictures `(title, image)` with a heading above."""
    rows = -(-len(titled_images) // COLUMNS)
    height = _image_rows_height(len(titled_images))
    part.text(LEFT, 1 - 0.1 / height, heading, fontsize=11, va='top')
    grid = part.subplots(rows, COLUMNS, squeeze=False, gridspec_kw=dict(
        left=LEFT, right=RIGHT, top=1 - (HEADING + TITLE) / height, bottom=0.03 / height, wspace=0.05,
        hspace=TITLE / (ROW - TITLE)))
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (title, image) in zip(grid.flat, titled_images, strict=False):
        axes.imshow(image, interpolation='antialiased')
        axes.set_title(title, fontsize=9.5, pad=4)
