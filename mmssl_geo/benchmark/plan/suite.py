"""Suites: which tasks a checkpoint is judged by, written as config files."""
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path

from mmengine.config import Config

from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.paths import resource_root

TARGETS = ('mmdet', 'mmseg', 'mmpretrain')
KINDS = ('finetune', 'probe')


@dataclass(frozen=True)
class Task:
    """One way to judge a checkpoint.

    Attributes:
        name: as tables and folders call it.
        data: name of the data set, one of the suite's `data`.
        metrics: name -> key in what `tools/test.py` (or `tools/probe.py`) writes as json.
        kind: 'finetune' (train a config, evaluate its last checkpoint) or 'probe' (ask frozen features).
        config: of kind 'finetune': the downstream config.
        target: of kind 'finetune': what `tools/convert_checkpoint.py --to` is told.
        arguments: of kind 'probe': of `tools/probe.py`, with `{data}` for the root.
        scale: the metrics are multiplied by this.
        gpus: how many the config's batch size is meant for; on fewer the batch of each grows alike.
        hours: estimated device hours of one job.
        disk_gb: estimated, of one job's folder.
        options: overrides of the config, key -> value.
        paper: metric -> {start: published number}.
    """
    name: str
    data: str
    metrics: dict
    kind: str = 'finetune'
    config: str = None
    target: str = None
    arguments: tuple = ()
    scale: float = 1.
    gpus: int = 1
    hours: float = 0.
    disk_gb: float = 0.
    options: dict = field(default_factory=dict)
    paper: dict = field(default_factory=dict)

    @property
    def config_path(self):
        return find_config(self.config)


@dataclass(frozen=True)
class Recipe:
    """A pretraining that a suite runs by itself.

    Attributes:
        name: as tables and folders call it.
        config: pretraining config.
        data: name of the data set; its root becomes the config's `data_root`.
        gpus: how many its batch size is meant for; on fewer, gradients are accumulated to the same total.
        start: None, or the recipe whose backbone this one goes on from.
        hours, disk_gb, options: as a `Task`'s.
    """
    name: str
    config: str
    data: str
    gpus: int = 1
    init: str = None
    hours: float = 0.
    disk_gb: float = 0.
    options: dict = field(default_factory=dict)

    @property
    def config_path(self):
        return find_config(self.config)


@dataclass(frozen=True)
class Dataset:
    """A data set.

    Attributes:
        name: as `--data NAME=ROOT` calls it.
        layout: what the root has to hold, in words.
        scenes: None, or dict(num_train=..., num_val=...) of embedded scenes that the runner makes if no root is given.
    """
    name: str
    layout: str
    scenes: dict = None


@dataclass(frozen=True)
class Suite:
    """Tasks, the data that they need and the pretrainings that stand beside the user's checkpoints.

    Attributes:
        name: file name without ending.
        tasks, data, recipes: name -> Task, Dataset, Recipe.
        seeds: how many, unless the command line says so.
        baselines: inits that others are compared with: 'scratch' or recipes.
        device: what `hours` counts, such as 'GPU'.
    """
    name: str
    tasks: dict
    data: dict
    recipes: dict
    seeds: int
    baselines: tuple
    device: str


def shipped_suites():
    """Names of the suites in `configs/suites/`."""
    return sorted(path.stem for path in (resource_root() / 'configs' / 'suites').glob('*.py'))


def load_suite(name):
    """Reads a suite.

    Args:
        name: of a shipped suite, or path of a config file.

    Raises:
        UserError: there is no such suite, or its file names something that does not exist or fit.
    """
    path = Path(name) if str(name).endswith('.py') else resource_root() / 'configs' / 'suites' / f'{name}.py'
    if not path.is_file():
        raise UserError(f'there is no suite {name}; shipped are {", ".join(shipped_suites())}, or give a .py file')
    try:
        cfg = Config.fromfile(path)
        data = {key: _make(Dataset, key, value) for key, value in cfg.data.items()}
        recipes = {key: _make(Recipe, key, _near(path, value)) for key, value in cfg.get('recipes', {}).items()}
        unknown = [key for key in cfg.tasks if key not in cfg.protocols]
        if unknown:
            raise UserError(f'there is no protocol {", ".join(unknown)}; there are {", ".join(cfg.protocols)}')
        tasks = {key: _make(Task, key, _near(path, cfg.protocols[key])) for key in cfg.tasks}
        suite = Suite(path.stem, tasks, data, recipes, cfg.get('seeds', 1), tuple(cfg.get('baselines', ['scratch'])),
                      cfg.get('device', 'GPU'))
        _check(suite)
    except (AttributeError, KeyError, SyntaxError, TypeError, UserError) as error:
        raise UserError(f'suite {path} cannot be used: {error}') from error
    return suite


def _near(suite_path, values):
    """The values of a task or recipe, with a config that lies beside the suite's file by its whole path."""
    beside = suite_path.parent / str(values.get('config'))
    return {**values, 'config': str(beside.absolute())} if beside.is_file() else values


def _make(kind, name, values):
    allowed = {one.name for one in fields(kind)} - {'name'}
    needed = {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING} - {'name'}
    for key in values:
        if key not in allowed:
            raise UserError(f'{name} has {key}, but may have {", ".join(sorted(allowed))}')
    for key in sorted(needed - set(values)):
        raise UserError(f'{name} lacks {key}')
    return kind(name=name, **{key: value.to_dict() if hasattr(value, 'to_dict') else value
                              for key, value in values.items()})


def _check(suite):
    for one in (*suite.tasks.values(), *suite.recipes.values()):
        if one.data not in suite.data:
            raise UserError(f'{one.name}: data {one.data!r} is not among {", ".join(suite.data)}')
    for task in suite.tasks.values():
        if task.kind not in KINDS or (task.kind == 'finetune' and task.target not in TARGETS):
            raise UserError(f'{task.name}: kind has to be one of {KINDS}, target of a finetune one of {TARGETS}')
    for recipe in suite.recipes.values():
        if recipe.init and (recipe.init not in suite.recipes or suite.recipes[recipe.init].init):
            raise UserError(f'{recipe.name}: start {recipe.init!r} is not a recipe, or goes on from another itself')
    for name in suite.baselines:
        if name != 'scratch' and name not in suite.recipes:
            raise UserError(f'baseline {name!r} is neither scratch nor a recipe')
    for one in (*suite.tasks.values(), *suite.recipes.values()):
        if getattr(one, 'kind', 'finetune') == 'finetune':
            find_config(one.config)


def find_config(config):
    """Path of a config that a suite names: below the folder that `configs/` is in, or from the current one.

    Raises:
        UserError: there is no such file.
    """
    shipped = resource_root() / config
    path = shipped if shipped.is_file() else Path(config)
    if not path.is_file():
        raise UserError(f'there is no config {config} beside the suite, in the current folder or in {resource_root()}')
    return path
