"""The figure of a benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .drawing import GREY, GRID, INK, PALETTE

if TYPE_CHECKING:
    from mmssl_geo.benchmark.report.table import Row

MAX_COLUMNS = 3
PANEL_SIZE = (5.0, 3.4)  # inches


def benchmark_figure(rows: Sequence[Row], title: str = '') -> Figure:
    """Draws one panel per task and metric: each seed as a dot, the mean with its sample standard deviation.

    The y axis does not start at 0, because differences between inits are small compared with the values.

    Args:
        rows: Rows of the benchmark table, at least one.
        title: Title of the figure.
    """
    panels: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        panels.setdefault((row.task, row.metric), []).append(row)
    inits = list(dict.fromkeys(row.init for row in rows))
    num_columns = min(MAX_COLUMNS, len(panels))
    num_lines = -(-len(panels) // num_columns)
    figure = Figure(
        figsize=(PANEL_SIZE[0] * num_columns, PANEL_SIZE[1] * num_lines + 0.4),
        dpi=100,
        facecolor='white',
        layout='constrained',
    )
    figure.suptitle(title, fontsize=13, weight='bold', color=INK, x=0.01, ha='left')
    axes = figure.subplots(num_lines, num_columns, squeeze=False).ravel()
    for ax, ((task, metric), panel_rows) in zip(axes, panels.items(), strict=False):
        _draw_panel(ax, f'{task}\n{metric}', panel_rows, inits)
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    return figure


def _draw_panel(ax: Axes, title: str, rows: Sequence[Row], inits: Sequence[str]) -> None:
    values = [value for row in rows for value in row.values.values()]
    low, high = min(values), max(values)
    span = max(high - low, 0.05 * abs(high), 1e-6)
    for row in rows:
        x = inits.index(row.init)
        ax.errorbar(
            x,
            row.summary.mean,
            yerr=row.summary.std,
            fmt='D',
            markersize=9,
            capsize=5,
            ecolor=GREY,
            color=PALETTE[x % len(PALETTE)],
        )
        ax.plot([x + 0.15] * len(row.values), list(row.values.values()), 'o', color=INK, markersize=3.5)
        ax.annotate(
            f'{row.summary.mean:.1f}',
            (x, row.summary.mean),
            (-10, 0),
            textcoords='offset points',
            ha='right',
            va='center',
            fontsize=9,
            color=INK,
            weight='bold',
        )
    ax.set_title(title, fontsize=10.5, loc='left', color=INK)
    ax.set_xticks(range(len(inits)), inits, fontsize=9)
    ax.set_xlim(-0.8, len(inits) - 0.4)
    ax.set_ylim(low - 0.4 * span, high + 0.4 * span)
    ax.tick_params(axis='y', labelsize=8.5, colors=GREY)
    ax.spines[['top', 'right']].set_visible(False)
    ax.set_axisbelow(True)
    ax.grid(axis='y', color=GRID, linewidth=0.8)
