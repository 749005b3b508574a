"""The picture of a benchmark: a panel a task and metric, a dot a seed, a mark for each mean."""
from matplotlib.figure import Figure

from .drawing import INK
from .measure_figure import COLOURS, GREY

COLUMNS = 3
PANEL = (5., 3.4)  # inches


def benchmark_figure(rows, title=''):
    """Means over seeds with their sample standard deviation.

    No bars: the axis begins near the lowest value, since differences between inits are small against the values.

    Args:
        rows: `Row`s of `mmssl_geo.benchmark.report.table`, at least one.
        title: first line of the picture.

    Returns:
        `matplotlib.figure.Figure`.
    """
    panels = {}
    for row in rows:
        panels.setdefault((row.task, row.metric), []).append(row)
    inits = list(dict.fromkeys(row.init for row in rows))
    columns = min(COLUMNS, len(panels))
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(PANEL[0] * columns, PANEL[1] * lines + 0.4), dpi=100, facecolor='white',
                    layout='constrained')
    figure.suptitle(title, fontsize=13, weight='bold', color=INK, x=0.01, ha='left')
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for own, ((task, metric), shown) in zip(axes, panels.items(), strict=False):
        _draw_panel(own, f'{task}\n{metric}', shown, inits)
    for own in axes[len(panels):]:
        own.set_axis_off()
    return figure


def _draw_panel(axes, title, rows, inits):
    values = [value for row in rows for value in row.values.values()]
    low, high = min(values), max(values)
    room = max(high - low, 0.05 * abs(high), 1e-6)
    for row in rows:
        place = inits.index(row.init)
        axes.errorbar(place, row.summary.mean, yerr=row.summary.std, fmt='D', markersize=9, capsize=5, ecolor=GREY,
                      color=COLOURS[place % len(COLOURS)])
        axes.plot([place + 0.15] * len(row.values), list(row.values.values()), 'o', color=INK, markersize=3.5)
        axes.annotate(f'{row.summary.mean:.1f}', (place, row.summary.mean), (-10, 0), textcoords='offset points',
                      ha='right', va='center', fontsize=9, color=INK, weight='bold')
    axes.set_title(title, fontsize=10.5, loc='left', color=INK)
    axes.set_xticks(range(len(inits)), inits, fontsize=9)
    axes.set_xlim(-0.8, len(inits) - 0.4)
    axes.set_ylim(low - 0.4 * room, high + 0.4 * room)
    axes.tick_params(axis='y', labelsize=8.5, colors=GREY)
    axes.spines[['top', 'right']].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis='y', color='#e6e6e6', linewidth=0.8)
