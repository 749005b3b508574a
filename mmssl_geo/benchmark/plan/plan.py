"""What a benchmark will do: starts x tasks x seeds, and what that costs."""
import re
from dataclasses import dataclass
from pathlib import Path

from mmssl_geo.utils.errors import UserError

from .suite import Recipe, Task

SCRATCH = 'scratch'


@dataclass(frozen=True)
class Start:
    """What fine-tuning starts from: a given checkpoint, a recipe to pretrain first, or (neither) random weights.

    Attributes:
        name: as tables and folders call it.
        checkpoint: Path, or None.
        recipe: Recipe, or None.
        is_baseline: whether others are compared with it.
    """
    name: str
    checkpoint: Path = None
    recipe: Recipe = None
    is_baseline: bool = False


@dataclass(frozen=True)
class Job:
    """One task from one start with one seed."""
    task: Task
    start: Start
    seed: int

    @property
    def name(self):
        return f'{self.task.name}/{self.start.name}/seed-{self.seed}'


def choose_starts(suite, checkpoints=(), names=(), baselines=None):
    """Baselines first, then the checkpoints; without checkpoints, the suite's recipes.

    Args:
        suite: Suite.
        checkpoints: paths.
        names: one a checkpoint; empty: the files' names.
        baselines: each 'scratch', a recipe or NAME=PATH; None: the suite's, or with checkpoints 'scratch' alone.

    Raises:
        UserError: a name that cannot be a folder or is there twice, or a baseline that is not known.
    """
    if names and len(names) != len(checkpoints):
        raise UserError(f'--names: {len(names)} names for {len(checkpoints)} checkpoints')
    if baselines is None:
        baselines = (SCRATCH, ) if checkpoints else suite.baselines
    starts = [_baseline(suite, text) for text in baselines]
    if checkpoints:
        names = names or [Path(path).stem for path in checkpoints]
        starts += [Start(name, Path(path)) for name, path in zip(names, checkpoints, strict=True)]
    else:
        known = {start.name for start in starts}
        starts += [Start(name, recipe=recipe) for name, recipe in suite.recipes.items() if name not in known]
    for start in starts:
        if not re.fullmatch(r'[\w.+-]+', start.name) or start.name.startswith('.'):
            raise UserError(f'{start.name!r} cannot name a folder; choose letters and digits with --names')
        if [other.name for other in starts].count(start.name) > 1:
            raise UserError(f'two starts are called {start.name}; tell them apart with --names')
        if start.name == SCRATCH and start.checkpoint:
            raise UserError(f'{SCRATCH} means random weights; give {start.checkpoint} another name with --names')
    return starts


def _baseline(suite, text):
    name, given, path = text.partition('=')
    if given:
        return Start(name, Path(path), is_baseline=True)
    if name == SCRATCH:
        return Start(name, is_baseline=True)
    if name in suite.recipes:
        return Start(name, recipe=suite.recipes[name], is_baseline=True)
    recipes = f', {", ".join(suite.recipes)} (pretrained by this suite)' if suite.recipes else ''
    raise UserError(f'--baselines {name}: suite {suite.name} knows scratch{recipes}, or give NAME=PATH of a checkpoint')


def choose_tasks(suite, names=None):
    """The suite's tasks, or those that are named.

    Raises:
        UserError: there is no such task.
    """
    for name in names or ():
        if name not in suite.tasks:
            raise UserError(f'--tasks {name}: suite {suite.name} has {", ".join(suite.tasks)}')
    return [task for name, task in suite.tasks.items() if not names or name in names]


def make_jobs(tasks, starts, seeds):
    """All jobs; the seeds take turns last, so that a table with one seed is there early."""
    return [Job(task, start, seed) for seed in range(seeds) for task in tasks for start in starts]


def needed_recipes(suite, starts):
    """The recipes of some starts, each once and after the one that it goes on from."""
    recipes = {}
    for recipe in [start.recipe for start in starts if start.recipe]:
        if recipe.start:
            recipes.setdefault(recipe.start, suite.recipes[recipe.start])
        recipes.setdefault(recipe.name, recipe)
    return list(recipes.values())


def total_cost(suite, tasks, starts, seeds):
    """Device hours and GB of all jobs and pretrainings."""
    parts = [(one, len(starts) * seeds) for one in tasks] + [(one, 1) for one in needed_recipes(suite, starts)]
    return sum(one.hours * count for one, count in parts), sum(one.disk_gb * count for one, count in parts)


def plan_text(suite, tasks, starts, seeds):
    """The plan as Markdown tables."""
    hours, disk = total_cost(suite, tasks, starts, seeds)
    lines = [
        f'suite {suite.name}: {len(tasks)} tasks x {len(starts)} starts ({", ".join(one.name for one in starts)}) x '
        f'{seeds} seeds = {len(tasks) * len(starts) * seeds} jobs',
        f'estimated: {hours:.4g} {suite.device} hours, {disk:.3g} GB' if hours else
        'not estimated: the suite says no `hours` and `disk_gb`', '',
        f'| task | config | data | seeds | jobs | {suite.device} hours | GB | published |', '|---' * 8 + '|']
    for recipe in needed_recipes(suite, starts):
        lines.append(f'| pretraining {recipe.name} | {recipe.config} | {recipe.data} | 0 | 1 | {recipe.hours:.4g} | '
                     f'{recipe.disk_gb:.3g} | |')
    for task in tasks:
        jobs = len(starts) * seeds
        lines.append(
            f'| {task.name} | {task.config or "probe: " + " ".join(task.arguments)} | {task.data} | '
            f'{", ".join(map(str, range(seeds)))} | {jobs} | {jobs * task.hours:.4g} | {jobs * task.disk_gb:.3g} | '
            f'{published(task)} |')
    return '\n'.join(lines)


def published(task):
    """The papers' numbers of a task in words."""
    return '; '.join(f'{start} ' + ', '.join(f'{value} {metric}' for metric, value in values)
                     for start, values in _by_start(task.paper).items())


def _by_start(paper):
    turned = {}
    for metric, values in paper.items():
        for start, value in values.items():
            turned.setdefault(start, []).append((metric, value))
    return turned
