"""The scalars that a run has logged, and their curves."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from mmssl_geo.utils.errors import UserError

from .drawing import GREY, GRID, INK

SCALARS = 'vis_data/scalars.json'
BLUE, RED = '#1f6fe0', '#d62728'
LOSS_COLOURS = ('#1f6fe0', '#f08c00', '#2ca02c', '#9467bd', '#d62728', '#17becf')

Scalars = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Steps and values by the name of the scalar."""

Points = dict[str, list[tuple[int, float]]]


def read_scalars(work_dir: str | Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Reads the scalars of the runs in a work directory and joins them.

    Every start of mmengine writes `<start time>/vis_data/scalars.json`. Where a resumed run repeats steps of an earlier
    one, its values replace the earlier ones; a run from scratch replaces all of them.

    Args:
        work_dir: Folder that contains the folders of the runs, or the folder of a single run.

    Returns:
        Steps, ascending, and values of each scalar, in order of first appearance.

    Raises:
        UserError: If no scalars were logged, or a file was not written by mmengine.
    """
    work_dir = Path(work_dir)
    paths = [work_dir / SCALARS] if (work_dir / SCALARS).is_file() else sorted(work_dir.glob(f'*/{SCALARS}'))
    if not paths:
        raise UserError(
            f'{work_dir} contains no scalars (*/{SCALARS}): use the work directory of a run that has '
            'logged at least once with LocalVisBackend'
        )
    joined: Points = {}
    for path in paths:
        for name, points in _read_file(path).items():
            first = points[0][0]
            joined[name] = [point for point in joined.get(name, ()) if point[0] < first] + points
    return {
        name: (np.array([step for step, _ in points]), np.array([value for _, value in points]))
        for name, points in joined.items()
    }


def _read_file(path: Path) -> Points:
    """Reads steps and values of one file; entries that are not numbers are ignored."""
    scalars: Points = {}
    lines = path.read_text(encoding='utf-8').splitlines()
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            step = entry['step']
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                break  # a killed run leaves its last line unfinished
            raise UserError(f'{path}, line {number}: not a line of scalars as logged by mmengine ({error})') from error
        for name, value in entry.items():
            if name != 'step' and isinstance(value, (int, float)):
                scalars.setdefault(name, []).append((step, value))
    return scalars


def plot_losses(ax: Axes, scalars: Scalars) -> None:
    """Plots every scalar `loss...`; the total (`loss`) is black."""
    _style(ax, 'losses')
    parts = [name for name in scalars if name.startswith('loss') and name != 'loss']
    for name, colour in zip(parts, LOSS_COLOURS, strict=False):
        ax.plot(*scalars[name], color=colour, linewidth=1.6, label=name.removeprefix('loss_').replace('_', ' '))
    if 'loss' in scalars:
        ax.plot(*scalars['loss'], color=INK, linewidth=2.2, label='total')
    ax.set_xlabel('iteration', fontsize=9, color=GREY)
    if ax.lines:
        ax.legend(fontsize=9, frameon=False)


def plot_collapse(ax: Axes, scalars: Scalars) -> None:
    """Plots the effective rank (left axis) and the spread (right axis) of the teacher's features, from 0."""
    _style(ax, "teacher's features")
    _plot_pair(ax, scalars, ('effective_rank', 'effective rank'), ('feature_spread', 'spread'), from_zero=True)


def plot_schedules(ax: Axes, scalars: Scalars) -> None:
    """Plots the learning rate (left axis) and the teacher momentum (right axis)."""
    _style(ax, 'schedules')
    _plot_pair(ax, scalars, ('lr', 'learning rate'), ('teacher_momentum', 'teacher momentum'), from_zero=False)
    ax.set_xlabel('iteration', fontsize=9, color=GREY)


def _plot_pair(ax: Axes, scalars: Scalars, left: tuple[str, str], right: tuple[str, str], from_zero: bool) -> None:
    """Plots two scalars, given by name and label, on separate y axes."""
    twin = ax.twinx()
    _style(twin)
    twin.grid(False)
    for axis, (name, label), colour in ((ax, left, BLUE), (twin, right, RED)):
        axis.set_ylabel(label, fontsize=9, color=colour)
        axis.tick_params(axis='y', colors=colour)
        axis.ticklabel_format(axis='y', useOffset=False)
        if name not in scalars:
            axis.set_yticks([])
            continue
        steps, values = scalars[name]
        axis.plot(steps, values, color=colour, linewidth=1.6)
        if from_zero:
            axis.set_ylim(0, 1.1 * max(values.max(), 1e-6))


def _style(ax: Axes, title: str | None = None) -> None:
    ax.tick_params(labelsize=8.5)
    ax.locator_params(axis='y', nbins=5)
    ax.spines['top'].set_visible(False)
    ax.grid(axis='y', color=GRID, linewidth=0.8)
    ax.set_axisbelow(True)
    if title:
        ax.set_title(title, fontsize=11, loc='left')
