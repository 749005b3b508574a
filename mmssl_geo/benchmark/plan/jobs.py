"""Jobs of a benchmark: tasks x initialisations x seeds."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmssl_geo.utils.errors import UserError

from .suite import SCRATCH, Dataset, Recipe, Suite, Task


@dataclass(frozen=True)
class Init:
    """Initialisation of a fine-tuning: a checkpoint, a recipe that is pretrained first, or (neither) random weights.

    Attributes:
        name: Name in tables and folders.
        checkpoint: Checkpoint that was given.
        recipe: Recipe to pretrain.
        is_baseline: Whether other initialisations are compared with this one.
    """

    name: str
    checkpoint: Path | None = None
    recipe: Recipe | None = None
    is_baseline: bool = False


@dataclass(frozen=True)
class Job:
    """One task with one initialisation and one seed."""

    task: Task
    init: Init
    seed: int

    @property
    def name(self) -> str:
        return f'{self.task.name}/{self.init.name}/seed-{self.seed}'


@dataclass(frozen=True)
class DataRoots:
    """Root folders of the data sets, given by the user or generated.

    Attributes:
        datasets: Data sets of the suite by name.
        given: Roots by the name of their data set.
        generated: Folder of generated data sets.
    """

    datasets: dict[str, Dataset]
    given: dict[str, Path]
    generated: Path

    def __post_init__(self) -> None:
        for name in self.given:
            if name not in self.datasets:
                raise UserError(f'--data {name}: the suite has no such data set, only {", ".join(self.datasets)}')

    def __getitem__(self, name: str) -> Path:
        return self.given.get(name, self.generated / name).absolute()

    def is_generated(self, name: str) -> bool:
        """Whether the runner generates the data set."""
        return name not in self.given and self.datasets[name].scenes is not None

    def is_missing(self, name: str) -> bool:
        """Whether the data set is neither given nor generated."""
        return name not in self.given and not self.is_generated(name)

    def can_check(self, name: str) -> bool:
        """Whether the data set was given and its root exists."""
        return name in self.given and self[name].is_dir()

    def identity(self, name: str) -> str | dict[str, Any]:
        """Returns what identifies the content of a data set: its root, or how it is generated."""
        return dict(scenes=self.datasets[name].scenes) if self.is_generated(name) else str(self[name])


@dataclass(frozen=True)
class Plan:
    """Everything that one call of the runner executes.

    Attributes:
        suite: Suite of the tasks.
        tasks: Selected tasks.
        inits: Initialisations, baselines first.
        seeds: Number of seeds, which are 0, 1, ...
        out: Folder of all results.
        roots: Roots of the data sets.
        cfg_options: Overrides of the configs of the tasks.
        retry_failed: Whether failed jobs are run again.
    """

    suite: Suite
    tasks: list[Task]
    inits: list[Init]
    seeds: int
    out: Path
    roots: DataRoots
    cfg_options: dict[str, Any] = field(default_factory=dict)
    retry_failed: bool = False

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise UserError(f'--seeds {self.seeds}: must be at least 1')

    @property
    def jobs(self) -> list[Job]:
        return make_jobs(self.tasks, self.inits, self.seeds)

    @property
    def recipes(self) -> list[Recipe]:
        """Recipes to pretrain, each after the recipe that initialises it."""
        return needed_recipes(self.suite, self.inits)

    @property
    def datasets(self) -> list[Dataset]:
        """Data sets of the tasks and recipes."""
        names = {task.data for task in self.tasks} | {recipe.data for recipe in self.recipes}
        return [data for name, data in self.suite.data.items() if name in names]


def choose_inits(
    suite: Suite,
    checkpoints: Sequence[str | Path] = (),
    names: Sequence[str] = (),
    baselines: Iterable[str] | None = None,
) -> list[Init]:
    """Lists the baselines, then the checkpoints or, without checkpoints, the other recipes of the suite.

    Args:
        suite: Suite.
        checkpoints: Checkpoints to evaluate.
        names: Names of the checkpoints; empty: their file names.
        baselines: Each 'scratch', a recipe or NAME=PATH. None: those of the suite, or 'scratch' if there are
            checkpoints.

    Raises:
        UserError: If a name is not a valid folder name or is used twice, or a baseline is unknown.
    """
    if names and len(names) != len(checkpoints):
        raise UserError(f'--names: {len(names)} names for {len(checkpoints)} checkpoints')
    if baselines is None:
        baselines = (SCRATCH,) if checkpoints else suite.baselines
    inits = [_baseline(suite, text) for text in baselines]
    if checkpoints:
        names = names or [Path(path).stem for path in checkpoints]
        inits += [Init(name, Path(path)) for name, path in zip(names, checkpoints, strict=True)]
    else:
        known = {init.name for init in inits}
        inits += [Init(name, recipe=recipe) for name, recipe in suite.recipes.items() if name not in known]
    _check_names(inits)
    return inits


def _check_names(inits: list[Init]) -> None:
    names = [init.name for init in inits]
    for init in inits:
        if not re.fullmatch(r'[\w.+-]+', init.name) or init.name.startswith('.'):
            raise UserError(f'{init.name!r} cannot name a folder; use letters and digits in --names')
        if names.count(init.name) > 1:
            raise UserError(f'two initialisations are named {init.name}; give them different names with --names')
        if init.name == SCRATCH and init.checkpoint:
            raise UserError(f'{SCRATCH} means random weights; give {init.checkpoint} another name with --names')


def _baseline(suite: Suite, text: str) -> Init:
    name, separator, path = text.partition('=')
    if separator:
        return Init(name, Path(path), is_baseline=True)
    if name == SCRATCH:
        return Init(name, is_baseline=True)
    if name in suite.recipes:
        return Init(name, recipe=suite.recipes[name], is_baseline=True)
    recipes = f', {", ".join(suite.recipes)} (pretrained by this suite)' if suite.recipes else ''
    raise UserError(f'--baselines {name}: suite {suite.name} has {SCRATCH}{recipes}; for a checkpoint give NAME=PATH')


def choose_tasks(suite: Suite, names: Sequence[str] | None = None) -> list[Task]:
    """Returns the named tasks of the suite, or all of them.

    Raises:
        UserError: If a task does not exist.
    """
    for name in names or ():
        if name not in suite.tasks:
            raise UserError(f'--tasks {name}: suite {suite.name} has {", ".join(suite.tasks)}')
    return [task for name, task in suite.tasks.items() if not names or name in names]


def make_jobs(tasks: Sequence[Task], inits: Sequence[Init], seeds: int) -> list[Job]:
    """Lists all jobs, seed by seed, so that a table of one seed is complete early."""
    return [Job(task, init, seed) for seed in range(seeds) for task in tasks for init in inits]


def needed_recipes(suite: Suite, inits: Sequence[Init]) -> list[Recipe]:
    """Returns the recipes of the initialisations, each once and after the recipe that initialises it."""
    recipes: dict[str, Recipe] = {}
    for recipe in [init.recipe for init in inits if init.recipe]:
        if recipe.init:
            recipes.setdefault(recipe.init, suite.recipes[recipe.init])
        recipes.setdefault(recipe.name, recipe)
    return list(recipes.values())
