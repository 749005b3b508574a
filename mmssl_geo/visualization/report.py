"""Figure of a whole run: curves, results, views and features."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from .drawing import GREY, INK
from .scalars import Scalars, plot_collapse, plot_losses, plot_schedules

MAX_VIEWS, MAX_PHOTOS, COLUMNS = 12, 6, 6
CURVES, HEADING, TITLE, ROW = 3.2, 0.3, 0.28, 2.63  # heights in inches
LEFT, RIGHT = 0.02, 0.985

TitledImage = tuple[str, np.ndarray]
TableRow = tuple[str, float | None, float | None]


def report_figure(
    out_png: str | Path,
    scalars: Scalars,
    view_images: Sequence[TitledImage],
    photos_and_features: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    table_rows: Sequence[TableRow],
) -> None:
    """Writes the report of a run, a figure 1500 px wide.

    Args:
        out_png: Path of the figure; missing folders are created.
        scalars: Scalars of `read_scalars`. Losses (`loss*`), `feature_spread`, `effective_rank`, `lr` and
            `teacher_momentum` are plotted if they were logged.
        view_images: Titles and views, each of shape (H, W, 3), uint8, RGB; at most 12 are shown.
        photos_and_features: Photos, and their features as colours (`pca_colours`) of the pretrained and of the random
            net, each of shape (H, W, 3), uint8, RGB; at most 6 are shown.
        table_rows: Names and results in per cent with random and with pretrained weights; None for no result.
    """
    blocks: list[tuple[str, list[TitledImage]]] = [
        ('views of one image, as the net sees them', list(view_images[:MAX_VIEWS])),
        (
            'photos and the first three principal components of their features as colours',
            [
                titled
                for triple in photos_and_features[:MAX_PHOTOS]
                for titled in zip(('photo', 'features, pretrained', 'features, random'), triple, strict=True)
            ],
        ),
    ]
    blocks = [(heading, images) for heading, images in blocks if images]
    heights = [CURVES] + [_image_rows_height(len(images)) for _, images in blocks]
    figure = Figure(figsize=(15, sum(heights)), dpi=100, facecolor='white')
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    _draw_curves_and_table(parts[0], scalars, table_rows)
    for part, (heading, images) in zip(parts[1:], blocks, strict=True):
        _draw_image_rows(part, heading, images)
    Path(out_png).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out_png)


def _draw_curves_and_table(part: SubFigure, scalars: Scalars, table_rows: Sequence[TableRow]) -> None:
    grid = part.add_gridspec(
        2, 3, width_ratios=(1.25, 1.0, 1.15), left=0.045, right=0.985, top=0.87, bottom=0.15, wspace=0.3, hspace=0.75
    )
    plot_losses(part.add_subplot(grid[:, 0]), scalars)
    plot_collapse(part.add_subplot(grid[0, 1]), scalars)
    plot_schedules(part.add_subplot(grid[1, 1]), scalars)
    _draw_table(part.add_subplot(grid[:, 2]), table_rows)


def _draw_table(ax: Axes, rows: Sequence[TableRow]) -> None:
    """Draws the results in three columns; the better of two is bold."""
    ax.set_axis_off()
    ax.set_title('fine-tuning results by initialisation', fontsize=11, loc='left')
    step = min(0.14, 1 / (len(rows) + 1))
    _write_row(ax, 1 - step / 2, ('', 'random weights', 'GTSA'), ('normal',) * 3, GREY)
    ax.axhline(1 - step, color=GREY, linewidth=0.8)
    for number, (name, random, pretrained) in enumerate(rows, 1):
        y = 1 - (number + 0.5) * step
        best = max((value for value in (random, pretrained) if value is not None), default=None)
        weights = [
            'bold' if None not in (random, pretrained) and value == best else 'normal' for value in (random, pretrained)
        ]
        if number % 2 == 0:
            ax.axhspan(y - step / 2, y + step / 2, color='#f3f3f3', zorder=0)
        _write_row(ax, y, (name, _format(random), _format(pretrained)), ('normal', *weights))
    ax.set(xlim=(0, 1), ylim=(0, 1))


def _write_row(ax: Axes, y: float, texts: Sequence[str], weights: Sequence[str], colour: str = INK) -> None:
    for x, text, weight, align in zip((0.01, 0.76, 0.98), texts, weights, ('left', 'right', 'right'), strict=True):
        ax.text(x, y, text, fontsize=10.5, weight=weight, color=colour, ha=align, va='center')


def _format(value: float | None) -> str:
    return '–' if value is None else f'{value:.1f}'


def _image_rows_height(num_images: int) -> float:
    """Returns the height of `_draw_image_rows` in inches."""
    return HEADING + ROW * -(-num_images // COLUMNS)


def _draw_image_rows(part: SubFigure, heading: str, titled_images: Sequence[TitledImage]) -> None:
    """Draws rows of images with titles, below a heading."""
    rows = -(-len(titled_images) // COLUMNS)
    height = _image_rows_height(len(titled_images))
    part.text(LEFT, 1 - 0.1 / height, heading, fontsize=11, va='top')
    axes = part.subplots(
        rows,
        COLUMNS,
        squeeze=False,
        gridspec_kw=dict(
            left=LEFT,
            right=RIGHT,
            top=1 - (HEADING + TITLE) / height,
            bottom=0.03 / height,
            wspace=0.05,
            hspace=TITLE / (ROW - TITLE),
        ),
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (title, image) in zip(axes.flat, titled_images, strict=False):
        ax.imshow(image, interpolation='antialiased')
        ax.set_title(title, fontsize=9.5, pad=4)
