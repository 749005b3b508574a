"""Suites of downstream tasks, read from config files."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from mmengine.config import Config

from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.paths import resource_root

SCRATCH = 'scratch'  # initialisation with random weights
TARGETS = ('mmdet', 'mmseg', 'mmpretrain')
KINDS = ('finetune', 'probe')


@dataclass(frozen=True)
class Task:
    """One way to evaluate a checkpoint.

    Attributes:
        name: Name in tables and folders.
        data: Name of the data set, a key of the suite's `data`.
        metrics: Maps the name of a metric to its key in the JSON file of `tools/test.py` or `tools/probe.py`.
        kind: 'finetune' trains a config and evaluates its last checkpoint, 'probe' evaluates frozen features.
        config: Downstream config, for kind 'finetune'.
        target: Value of `tools/convert_checkpoint.py --to`, for kind 'finetune'.
        arguments: Arguments of `tools/probe.py`, for kind 'probe'; `{data}` stands for the root of the data set.
        scale: Factor that the metrics are multiplied by.
        gpus: Number of GPUs that the batch size of the config is meant for. On fewer GPUs each gets a larger batch.
        hours: Estimated device hours of one job.
        disk_gb: Estimated size of one job's folder.
        cfg_options: Overrides of the config, key -> value.
        paper: Published numbers, metric -> {initialisation: number}.
    """

    name: str
    data: str
    metrics: dict[str, str]
    kind: str = 'finetune'
    config: str = ''
    target: str = ''
    arguments: tuple[str, ...] = ()
    scale: float = 1.0
    gpus: int = 1
    hours: float = 0.0
    disk_gb: float = 0.0
    cfg_options: dict[str, Any] = field(default_factory=dict)
    paper: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def config_path(self) -> Path:
        return find_config(self.config)


@dataclass(frozen=True)
class Recipe:
    """A pretraining that is part of a suite.

    Attributes:
        name: Name in tables and folders.
        config: Pretraining config.
        data: Name of the data set; its root becomes the `data_root` of the config.
        gpus: Number of GPUs that the batch size of the config is meant for. On fewer GPUs gradients are accumulated.
        init: Recipe whose backbone initialises this one; None: random weights.
        hours: Estimated device hours.
        disk_gb: Estimated size of the folder.
        cfg_options: Overrides of the config, key -> value; `{data}` stands for the root of the data set.
    """

    name: str
    config: str
    data: str
    gpus: int = 1
    init: str | None = None
    hours: float = 0.0
    disk_gb: float = 0.0
    cfg_options: dict[str, Any] = field(default_factory=dict)

    @property
    def config_path(self) -> Path:
        return find_config(self.config)


@dataclass(frozen=True)
class Dataset:
    """A data set.

    Attributes:
        name: Name in `--data NAME=ROOT`.
        layout: What the root folder must contain, in words.
        scenes: `dict(num_train=..., num_val=...)` of generated scenes, which are generated if no root is given.
    """

    name: str
    layout: str
    scenes: dict[str, int] | None = None


@dataclass(frozen=True)
class Suite:
    """Tasks, their data sets, and pretrainings to compare checkpoints with.

    Attributes:
        name: File name without extension.
        tasks: Tasks by name.
        data: Data sets by name.
        recipes: Pretrainings by name.
        seeds: Default number of seeds.
        baselines: Initialisations that others are compared with: 'scratch' or names of recipes.
        device: Unit of `hours`, such as 'GPU'.
    """

    name: str
    tasks: dict[str, Task]
    data: dict[str, Dataset]
    recipes: dict[str, Recipe]
    seeds: int
    baselines: tuple[str, ...]
    device: str


_Entry = TypeVar('_Entry', Task, Recipe, Dataset)


def shipped_suites() -> list[str]:
    """Returns the names of the suites in `configs/suites/`."""
    return sorted(path.stem for path in (resource_root() / 'configs' / 'suites').glob('*.py'))


def load_suite(name: str | Path) -> Suite:
    """Reads a suite.

    Args:
        name: Name of a shipped suite, or path of a config file.

    Raises:
        UserError: If the suite does not exist, or its file is not valid.
    """
    path = Path(name) if str(name).endswith('.py') else resource_root() / 'configs' / 'suites' / f'{name}.py'
    if not path.is_file():
        raise UserError(f'there is no suite {name}; use one of {", ".join(shipped_suites())} or a .py file')
    try:
        cfg = Config.fromfile(path)
        data = {key: _make(Dataset, key, value) for key, value in cfg.data.items()}
        recipes = {
            key: _make(Recipe, key, _resolve_config(path, value)) for key, value in cfg.get('recipes', {}).items()
        }
        unknown = [key for key in cfg.tasks if key not in cfg.protocols]
        if unknown:
            raise UserError(f'there is no protocol {", ".join(unknown)}; the protocols are {", ".join(cfg.protocols)}')
        tasks = {key: _make(Task, key, _resolve_config(path, cfg.protocols[key])) for key in cfg.tasks}
        suite = Suite(
            path.stem,
            tasks,
            data,
            recipes,
            cfg.get('seeds', 1),
            tuple(cfg.get('baselines', [SCRATCH])),
            cfg.get('device', 'GPU'),
        )
        _check(suite)
    except (AttributeError, KeyError, SyntaxError, TypeError, UserError) as error:
        raise UserError(f'suite {path} cannot be used: {error}') from error
    return suite


def _resolve_config(suite_path: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Replaces a config in the folder of the suite by its absolute path."""
    config = suite_path.parent / str(values.get('config'))
    return {**values, 'config': str(config.absolute())} if config.is_file() else dict(values)


def _make(kind: type[_Entry], name: str, values: Mapping[str, Any]) -> _Entry:
    allowed = {one.name for one in fields(kind)} - {'name'}
    required = {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING}
    for key in values:
        if key not in allowed:
            raise UserError(f'{name} has an unknown key {key}; the keys are {", ".join(sorted(allowed))}')
    for key in sorted(required - {'name'} - set(values)):
        raise UserError(f'{name} lacks {key}')
    return kind(
        name=name, **{key: value.to_dict() if hasattr(value, 'to_dict') else value for key, value in values.items()}
    )


def _check(suite: Suite) -> None:
    entries: list[Task | Recipe] = [*suite.tasks.values(), *suite.recipes.values()]
    for entry in entries:
        if entry.data not in suite.data:
            raise UserError(f'{entry.name}: data {entry.data!r} is not one of {", ".join(suite.data)}')
    for task in suite.tasks.values():
        if task.kind not in KINDS or (task.kind == 'finetune' and task.target not in TARGETS):
            raise UserError(f'{task.name}: kind must be one of {KINDS}, and target of kind finetune one of {TARGETS}')
    for recipe in suite.recipes.values():
        if recipe.init and (recipe.init not in suite.recipes or suite.recipes[recipe.init].init):
            raise UserError(f'{recipe.name}: init {recipe.init!r} is not a recipe that starts from random weights')
    for name in suite.baselines:
        if name != SCRATCH and name not in suite.recipes:
            raise UserError(f'baseline {name!r} is neither {SCRATCH} nor a recipe')
    for entry in entries:
        if isinstance(entry, Recipe) or entry.kind == 'finetune':
            find_config(entry.config)


def find_config(config: str) -> Path:
    """Finds a config that a suite names, relative to the project or to the current folder.

    Raises:
        UserError: If the file does not exist.
    """
    shipped = resource_root() / config
    path = shipped if shipped.is_file() else Path(config)
    if not path.is_file():
        raise UserError(f'there is no config {config} beside the suite, in the current folder or in {resource_root()}')
    return path
