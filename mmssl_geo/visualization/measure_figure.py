"""Bars of measures of several nets, beside chance."""
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from .drawing import INK

# Okabe and Ito's palette, told apart by colour-blind readers; hatches tell a second round of it from the first
COLOURS = ('#0072B2', '#E69F00', '#009E73', '#CC79A7', '#56B4E9', '#D55E00', '#999999')
HATCHES = ('', '///', '...')
GREY = '#6b6b6b'
CHANCE_LINE = (0, (3, 2))
BAR = 0.8  # of the room between two bars
HEIGHT, LEGEND_ROW = 4.3, 0.28  # inches
LEGEND_COLUMNS = 5
MAX_UPRIGHT = 4  # bars in a group whose values stand side by side


def measure_figure(rows, panels, measures, title=''):
    """One panel a measure, one bar a net, with its deviation over seeds and the chance as a dashed line.

    Args:
        rows: `(name, {measure: Measured})` of each net; 'n/a' is written where a measure is missing.
        panels: of each its title, label of its scale, `(measure, label)` of each group of bars, and a hint which way
            to read it.
        measures: name -> Measure.
        title: first line of the picture.

    Returns:
        `matplotlib.figure.Figure`, 1500 px wide.
    """
    legend_rows = -(-(len(rows) + 1) // LEGEND_COLUMNS)
    height = HEIGHT + LEGEND_ROW * legend_rows
    figure = Figure(figsize=(15, height), dpi=100, facecolor='white')
    figure.text(0.02, 1 - 0.12 / height, title, fontsize=13, weight='bold', color=INK, va='top')
    axes = figure.subplots(1, len(panels), gridspec_kw=dict(
        width_ratios=[len(panel[2]) + 0.35 for panel in panels], left=0.045, right=0.99, wspace=0.24,
        top=1 - 0.95 / height, bottom=(LEGEND_ROW * legend_rows + 0.75) / height))
    for own, panel in zip(axes, panels, strict=True):
        _draw_panel(own, panel, rows, measures)
    handles = [Patch(label=_shorten(name), **_style(number)) for number, (name, _) in enumerate(rows)]
    handles.append(Line2D([], [], color=INK, linestyle=CHANCE_LINE, linewidth=1.6, label='chance'))
    figure.legend(handles=handles, loc='lower center', ncols=LEGEND_COLUMNS, frameon=False, fontsize=10)
    return figure


def _draw_panel(axes, panel, rows, measures):
    title, label, groups, hint = panel
    middles = []
    for group, (key, _) in enumerate(groups):
        start = group * (len(rows) + 1)
        middles.append(start + (len(rows) - 1) / 2)
        for number, (_, results) in enumerate(rows):
            _draw_bar(axes, start + number, results.get(key), measures[key].factor, _style(number),
                      0 if len(rows) <= MAX_UPRIGHT else 90)
    axes.set_title(title, fontsize=12, loc='left', color=INK, pad=22)
    axes.text(0, 1.025, hint, fontsize=9.5, color=GREY, transform=axes.transAxes)
    axes.set_ylabel(label, fontsize=10, color=GREY)
    axes.set_xticks(middles, [text for _, text in groups], fontsize=10.5)
    axes.set_xlim(-0.8, middles[-1] + (len(rows) - 1) / 2 + 0.8)
    axes.set_ylim(bottom=0)
    _zoom_to_bars(axes, [(measures[key].factor, results[key]) for key, _ in groups for _, results in rows
                         if results.get(key) is not None])
    axes.tick_params(axis='x', length=0, pad=20 if len(rows) <= MAX_UPRIGHT else 34)
    axes.tick_params(axis='y', labelsize=9)
    axes.spines[['top', 'right']].set_visible(False)
    axes.grid(axis='y', color='#e6e6e6', linewidth=0.8)
    axes.set_axisbelow(True)


def _zoom_to_bars(axes, drawn):
    """Where chance would leave the bars too low to be seen, the axis ends above the bars and says where chance is."""
    highest = max((factor * (measured.mean + measured.std) for factor, measured in drawn), default=0)
    chance = max((factor * measured.chance for factor, measured in drawn), default=0)
    if 0 < highest < 0.25 * chance:
        axes.set_ylim(top=1.25 * highest)
        axes.text(1, 0.97, f'chance: {chance:g}, above', fontsize=9.5, color=INK, ha='right', va='top',
                  transform=axes.transAxes)


def _draw_bar(axes, x, measured, factor, style, angle):
    """A bar with its value below, written at an angle."""
    if measured is None:
        _write_below(axes, x, 'n/a', 0)
        return
    mean, std, chance = (factor * value for value in measured)
    axes.bar(x, mean, width=BAR, yerr=std or None, ecolor=INK, capsize=3, **style)
    axes.plot([x - 0.47, x + 0.47], [chance, chance], color=INK, linestyle=CHANCE_LINE, linewidth=1.6)
    text = f'{mean:.1f}' if factor == 100 else f'{mean:.3f}'
    _write_below(axes, x, text, angle)


def _write_below(axes, x, text, angle):
    axes.annotate(text, (x, 0), (0, -5), textcoords='offset points', ha='center', va='top', fontsize=9, color=INK,
                  rotation=angle)


def _style(number):
    """Colour and hatch of the net with this number."""
    return dict(facecolor=COLOURS[number % len(COLOURS)], hatch=HATCHES[number // len(COLOURS) % len(HATCHES)],
                edgecolor='white')


def _shorten(name, most=38):
    return name if len(name) <= most else f'…{name[1 - most:]}'
