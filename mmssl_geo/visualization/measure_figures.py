"""Bar charts of the measures of several nets, with their chance levels."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mmssl_geo.evaluation.geometry import GEOMETRY_MEASURES
from mmssl_geo.evaluation.regions import REGION_MEASURES
from mmssl_geo.evaluation.results import Measure, MeasureResult, Results

from .drawing import GREY, GRID, INK, PALETTE

HATCHES = ('', '///', '...')  # distinguish the repetitions of the palette
CHANCE_LINE = (0, (3, 2))
BAR_WIDTH = 0.8  # of the distance between two bars
HEIGHT, LEGEND_ROW = 4.3, 0.28  # inches
LEGEND_COLUMNS = 5
MAX_HORIZONTAL = 4  # bars in a group whose values fit side by side


class Panel(NamedTuple):
    """One panel of a bar chart.

    Attributes:
        title: Title of the panel.
        unit: Label of the y axis.
        groups: Key of the measure and label of each group of bars.
        hint: How to read the values.
    """

    title: str
    unit: str
    groups: tuple[tuple[str, str], ...]
    hint: str


GEOMETRY_PANELS = (
    Panel('Rotation probe', 'accuracy (%)', (('rotation_accuracy', ''),), 'higher: features encode the rotation'),
    Panel(
        'Position probe', 'error (sides of the view)', (('position_error', ''),), 'lower: features encode the position'
    ),
    Panel(
        'Equivariance error',
        '0: equivariant, 1: unrelated',
        (('rotation_equivariance_error', 'rotation'), ('crop_equivariance_error', 'crops')),
        'lower: features move with the image',
    ),
    Panel(
        'Patch correspondence',
        'precision (%)',
        (('upright_precision', 'upright'), ('rotated_precision', 'rotated')),
        'higher: patches are matched across views',
    ),
)
REGION_PANELS = (
    Panel('Coupling', '0: independent, 1: unrelated', (('coupling', ''),), 'lower: less effect of surroundings'),
    Panel('Positional bias, shift', '0: same, 1: unrelated', (('shift_bias', ''),), 'lower: less effect of position'),
    Panel(
        'Region position',
        'error (sides of the view)',
        (('region_position_error', ''),),
        'lower: features encode the position',
    ),
    Panel('Object k-NN', 'accuracy (%)', (('object_knn', ''),), 'higher: features encode the class'),
)


def geometry_figure(rows: Sequence[tuple[str, Results]], title: str = '') -> Figure:
    """Draws the results of `measure_geometry`, see `measure_figure`."""
    return measure_figure(rows, GEOMETRY_PANELS, GEOMETRY_MEASURES, title)


def region_measures_figure(rows: Sequence[tuple[str, Results]], title: str = '') -> Figure:
    """Draws the results of `measure_regions`, see `measure_figure`."""
    return measure_figure(rows, REGION_PANELS, REGION_MEASURES, title)


def measure_figure(
    rows: Sequence[tuple[str, Results]], panels: Sequence[Panel], measures: Mapping[str, Measure], title: str = ''
) -> Figure:
    """Draws one bar per net with its standard deviation over seeds, and the chance level as a dashed line.

    Args:
        rows: Name and results of each net; missing measures are labelled 'n/a'.
        panels: The panels.
        measures: The measures by name.
        title: Title of the figure.

    Returns:
        A figure 1500 px wide.
    """
    legend_rows = -(-(len(rows) + 1) // LEGEND_COLUMNS)
    height = HEIGHT + LEGEND_ROW * legend_rows
    figure = Figure(figsize=(15, height), dpi=100, facecolor='white')
    figure.text(0.02, 1 - 0.12 / height, title, fontsize=13, weight='bold', color=INK, va='top')
    axes = figure.subplots(
        1,
        len(panels),
        gridspec_kw=dict(
            width_ratios=[len(panel.groups) + 0.35 for panel in panels],
            left=0.045,
            right=0.99,
            wspace=0.24,
            top=1 - 0.95 / height,
            bottom=(LEGEND_ROW * legend_rows + 0.75) / height,
        ),
    )
    for ax, panel in zip(axes, panels, strict=True):
        _draw_panel(ax, panel, rows, measures)
    handles: list[Patch | Line2D] = [
        Patch(label=_shorten(name), **_bar_style(number)) for number, (name, _) in enumerate(rows)
    ]
    handles.append(Line2D([], [], color=INK, linestyle=CHANCE_LINE, linewidth=1.6, label='chance'))
    figure.legend(handles=handles, loc='lower center', ncols=LEGEND_COLUMNS, frameon=False, fontsize=10)
    return figure


def _draw_panel(ax: Axes, panel: Panel, rows: Sequence[tuple[str, Results]], measures: Mapping[str, Measure]) -> None:
    centres = []
    is_horizontal = len(rows) <= MAX_HORIZONTAL
    for group, (key, _) in enumerate(panel.groups):
        start = group * (len(rows) + 1)
        centres.append(start + (len(rows) - 1) / 2)
        for number, (_, results) in enumerate(rows):
            _draw_bar(
                ax,
                start + number,
                results.get(key),
                measures[key].factor,
                _bar_style(number),
                0 if is_horizontal else 90,
            )
    ax.set_title(panel.title, fontsize=12, loc='left', color=INK, pad=22)
    ax.text(0, 1.025, panel.hint, fontsize=9.5, color=GREY, transform=ax.transAxes)
    ax.set_ylabel(panel.unit, fontsize=10, color=GREY)
    ax.set_xticks(centres, [text for _, text in panel.groups], fontsize=10.5)
    ax.set_xlim(-0.8, centres[-1] + (len(rows) - 1) / 2 + 0.8)
    ax.set_ylim(bottom=0)
    _zoom_to_bars(
        ax, [(measures[key].factor, results[key]) for key, _ in panel.groups for _, results in rows if key in results]
    )
    ax.tick_params(axis='x', length=0, pad=20 if is_horizontal else 34)
    ax.tick_params(axis='y', labelsize=9)
    ax.spines[['top', 'right']].set_visible(False)
    ax.grid(axis='y', color=GRID, linewidth=0.8)
    ax.set_axisbelow(True)


def _zoom_to_bars(ax: Axes, drawn: Sequence[tuple[int, MeasureResult]]) -> None:
    """Limits the y axis to the bars, and writes the chance level, if chance is far above all bars."""
    highest = max((factor * (result.mean + (result.std or 0.0)) for factor, result in drawn), default=0.0)
    chance = max((factor * result.chance for factor, result in drawn), default=0.0)
    if 0 < highest < 0.25 * chance:
        ax.set_ylim(top=1.25 * highest)
        ax.text(
            1, 0.97, f'chance: {chance:g}, above', fontsize=9.5, color=INK, ha='right', va='top', transform=ax.transAxes
        )


def _draw_bar(
    ax: Axes, x: float, result: MeasureResult | None, factor: int, style: dict[str, Any], angle: float
) -> None:
    """Draws a bar and its value below it, rotated by an angle in degrees."""
    if result is None:
        _write_below(ax, x, 'n/a', 0)
        return
    mean, chance = factor * result.mean, factor * result.chance
    error = factor * result.std if result.std else None
    ax.bar(x, mean, width=BAR_WIDTH, yerr=error, ecolor=INK, capsize=3, **style)
    ax.plot([x - 0.47, x + 0.47], [chance, chance], color=INK, linestyle=CHANCE_LINE, linewidth=1.6)
    _write_below(ax, x, f'{mean:.1f}' if factor == 100 else f'{mean:.3f}', angle)


def _write_below(ax: Axes, x: float, text: str, angle: float) -> None:
    ax.annotate(
        text, (x, 0), (0, -5), textcoords='offset points', ha='center', va='top', fontsize=9, color=INK, rotation=angle
    )


def _bar_style(number: int) -> dict[str, Any]:
    return dict(
        facecolor=PALETTE[number % len(PALETTE)],
        hatch=HATCHES[number // len(PALETTE) % len(HATCHES)],
        edgecolor='white',
    )


def _shorten(name: str, length: int = 38) -> str:
    return name if len(name) <= length else f'…{name[1 - length :]}'
