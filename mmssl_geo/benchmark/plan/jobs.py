"""What a benchmark will do: inits x tasks x seeds, and what that costs."""
import re
from dataclasses import dataclass
from pathlib import Path

from mmssl_geo.utils.errors import UserError

from .suite import Recipe, Task

SCRATCH = 'scratch'


@dataclass(frozen=True)
class Init:
    """What fine-tuning inits from: a given checkpoint, a recipe to pretrain first, or (neither) random weights.

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
    init: Init
    seed: int

    @property
    def name(self):
        return f'{self.task.name}/{self.init.name}/seed-{self.seed}'


def choose_inits(suite, checkpoints=(), names=(), baselines=None):
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
    inits = [_baseline(suite, text) for text in baselines]
    if checkpoints:
        names = names or [Path(path).stem for path in checkpoints]
        inits += [Init(name, Path(path)) for name, path in zip(names, checkpoints, strict=True)]
    else:
        known = {start.name for start in inits}
        inits += [Init(name, recipe=recipe) for name, recipe in suite.recipes.items() if name not in known]
    for start in inits:
        if not re.fullmatch(r'[\w.+-]+', start.name) or start.name.startswith('.'):
            raise UserError(f'{start.name!r} cannot name a folder; choose letters and digits with --names')
        if [other.name for other in inits].count(start.name) > 1:
            raise UserError(f'two inits are called {start.name}; tell them apart with --names')
        if start.name == SCRATCH and start.checkpoint:
            raise UserError(f'{SCRATCH} means random weights; give {start.checkpoint} another name with --names')
    return inits


def _baseline(suite, text):
    name, given, path = text.partition('=')
    if given:
        return Init(name, Path(path), is_baseline=True)
    if name == SCRATCH:
        return Init(name, is_baseline=True)
    if name in suite.recipes:
        return Init(name, recipe=suite.recipes[name], is_baseline=True)
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


def make_jobs(tasks, inits, seeds):
    """All jobs; the seeds take turns last, so that a table with one seed is there early."""
    return [Job(task, start, seed) for seed in range(seeds) for task in tasks for start in inits]


def needed_recipes(suite, inits):
    """The recipes of some inits, each once and after the one that it goes on from."""
    recipes = {}
    for recipe in [start.recipe for start in inits if start.recipe]:
        if recipe.init:
            recipes.setdefault(recipe.init, suite.recipes[recipe.init])
        recipes.setdefault(recipe.name, recipe)
    return list(recipes.values())


def total_cost(suite, tasks, inits, seeds):
    """Device hours and GB of all jobs and pretrainings."""
    parts = [(one, len(inits) * seeds) for one in tasks] + [(one, 1) for one in needed_recipes(suite, inits)]
    return sum(one.hours * count for one, count in parts), sum(one.disk_gb * count for one, count in parts)


def plan_text(suite, tasks, inits, seeds):
    """The plan as Markdown tables."""
    hours, disk = total_cost(suite, tasks, inits, seeds)
    lines = [
        f'suite {suite.name}: {len(tasks)} tasks x {len(inits)} inits ({", ".join(one.name for one in inits)}) x '
        f'{seeds} seeds = {len(tasks) * len(inits) * seeds} jobs',
        f'estimated: {hours:.4g} {suite.device} hours, {disk:.3g} GB' if hours else
        'not estimated: the suite says no `hours` and `disk_gb`', '',
        f'| task | config | data | seeds | jobs | {suite.device} hours | GB | published |', '|---' * 8 + '|']
    for recipe in needed_recipes(suite, inits):
        lines.append(f'| pretraining {recipe.name} | {recipe.config} | {recipe.data} | 0 | 1 | {recipe.hours:.4g} | '
                     f'{recipe.disk_gb:.3g} | |')
    for task in tasks:
        jobs = len(inits) * seeds
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
