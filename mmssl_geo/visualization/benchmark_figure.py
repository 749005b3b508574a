"""The picture of a benchmark: a panel a task and metric, a bar a start, a dot a seed."""
from matplotlib.figure import Figure

from .drawing import INK
from .measure_figure import COLOURS, GREY

COLUMNS = 3
PANEL = (5., 3.4)  # inches


def benchmark_figure(rows, title=''):
    """Means over seeds with their sample standard deviation.

    The axis begins near the lowest value, not at 0: differences between starts are small against the values.

    Args:
        rows: `Row`s of `mmssl_geo.benchmark.table`, at least one.
        title: first line of the picture.

    Returns:
        `matplotlib.figure.Figure`.
    """
    panels = {}
    for row in rows:
        panels.setdefault((row.task, row.metric), []).append(row)
    starts = list(dict.fromkeys(row.start for row in rows))
    columns = min(COLUMNS, len(panels))
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(PANEL[0] * columns, PANEL[1] * lines + 0.4), dpi=100, facecolor='white',
                    layout='constrained')
    figure.suptitle(title, fontsize=13, weight='bold', color=INK, x=0.01, ha='left')
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for own, ((task, metric), shown) in zip(axes, panels.items(), strict=False):
        _draw_panel(own, f'{task}\n{metric}', shown, starts)
    for own in axes[len(panels):]:
        own.set_axis_off()
    return figure


def _draw_panel(axes, title, rows, starts):
    values = [value for row in rows for value in row.values.values()]
    low, high = min(values), max(values)
    room = max(high - low, 0.05 * abs(high), 1e-6)
    bottom = max(0., low - room) if low >= 0 else low - room
    for row in rows:
        place = starts.index(row.start)
        axes.bar(place, row.summary.mean - bottom, bottom=bottom, width=0.7, yerr=row.summary.std, ecolor=INK,
                 capsize=4, color=COLOURS[place % len(COLOURS)], alpha=0.75)
        axes.plot([place] * len(row.values), list(row.values.values()), 'o', color=INK, markersize=3.5)
        axes.annotate(f'{row.summary.mean:.1f}', (place, bottom), (0, 4), textcoords='offset points', ha='center',
                      fontsize=9, color='white', weight='bold')
    axes.set_title(title, fontsize=10.5, loc='left', color=INK)
    axes.set_xticks(range(len(starts)), starts, fontsize=9)
    axes.set_ylim(bottom, high + 0.4 * room)
    axes.tick_params(axis='y', labelsize=8.5, colors=GREY)
    axes.spines[['top', 'right']].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis='y', color='#e6e6e6', linewidth=0.8)
