"""Checks of everything that would stop a benchmark, before it starts."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmssl_geo.annotations import annotation_problems
from mmssl_geo.annotations.coco import forget_files
from mmssl_geo.apis.config_errors import explain_config_errors
from mmssl_geo.benchmark.plan.configs import accumulate_gradients, recipe_config, scale_batch_size, task_config
from mmssl_geo.benchmark.plan.jobs import DataRoots, Init
from mmssl_geo.benchmark.plan.suite import Recipe, Task
from mmssl_geo.benchmark.run.exports import Exporter, load_strictly
from mmssl_geo.checkpoints import read_checkpoint
from mmssl_geo.registry import DATASETS, MODELS
from mmssl_geo.utils.errors import UserError


def check_roots(names: Iterable[str], roots: DataRoots) -> list[str]:
    """Checks that the root of every named data set exists or is generated."""
    problems = []
    for name in names:
        if roots.is_missing(name):
            problems.append(f'data {name}: no root is given; use --data {name}=DIR, {roots.datasets[name].layout}')
        elif not roots.is_generated(name) and not roots[name].is_dir():
            problems.append(f'data {name}: there is no folder {roots[name]}')
    return problems


def check_task(
    task: Task, cfg: Config | None, roots: DataRoots, inits: Sequence[Init], num_processes: int
) -> list[str]:
    """Checks the batch size and the data of a task.

    Args:
        task: Task.
        cfg: Its config; None for kind 'probe'.
        roots: Roots of the data sets.
        inits: All initialisations.
        num_processes: Number of processes of one training.
    """

    def find() -> list[str]:
        if cfg is None:
            return _probe_problems(task, roots, inits)
        scale_batch_size(cfg, task.gpus, num_processes)
        return annotation_problems(cfg) if roots.can_check(task.data) else []

    return _explained(f'task {task.name}', find)


def _probe_problems(task: Task, roots: DataRoots, inits: Sequence[Init]) -> list[str]:
    paths = [Path(word.format(data=roots[task.data])) for word in task.arguments if '{data}' in word]
    problems = [f'{path}: no such file or folder' for path in paths if roots.can_check(task.data) and not path.exists()]
    if not any(init.checkpoint or init.recipe for init in inits):
        problems.append(
            'random weights take their architecture from a checkpoint; give a checkpoint, or choose other '
            'tasks with --tasks'
        )
    return problems


def check_recipe(recipe: Recipe, recipes: Sequence[Recipe], roots: DataRoots, num_processes: int) -> list[str]:
    """Checks the config of a pretraining, its data and the recipe that initialises it.

    Args:
        recipe: Recipe.
        recipes: All recipes, among them the one that initialises this one.
        roots: Roots of the data sets.
        num_processes: Number of processes of one training.
    """

    def find() -> list[str]:
        cfg = recipe_config(recipe, roots[recipe.data])
        accumulate_gradients(cfg, recipe.gpus, num_processes)
        source = next((other for other in recipes if other.name == recipe.init), None)
        if source and not _same_backbone(cfg, recipe_config(source, '')):
            return [f'its backbone differs from that of {source.name}, which initialises it']
        if roots.is_missing(recipe.data):
            return [
                f'data {recipe.data} must also contain {Path(value).name}; make it with tools/make_proposals.py'
                for value in recipe.cfg_options.values()
                if str(value).startswith('{data}/')
            ]
        if not roots.can_check(recipe.data):
            return []
        dataset = cfg.train_dataloader.dataset
        with explain_config_errors(cfg, 'cannot be built'):
            DATASETS.build({**dataset, 'pipeline': []})
        steps = dataset.pipeline.values() if isinstance(dataset.pipeline, dict) else dataset.pipeline
        files = [Path(step['file']) for step in steps if step and step.get('type') == 'mmssl_geo.LoadRegions']
        return [f'{file}: no such file; make it with tools/make_proposals.py' for file in files if not file.is_file()]

    return _explained(f'pretraining {recipe.name}', find)


def _same_backbone(cfg: Config, other: Config) -> bool:
    with DefaultScope.overwrite_default_scope('mmssl_geo'):
        states = [MODELS.build(one.model.backbone).state_dict() for one in (cfg, other)]
    return len({tuple((name, tuple(value.shape)) for name, value in state.items()) for state in states}) == 1


class CheckpointChecker:
    """Checks that checkpoints can be exported for the tasks and loaded by their backbones.

    Args:
        tasks: Tasks with valid configs.
        roots: Roots of the data sets.
        cfg_options: Overrides of the command line.
    """

    def __init__(self, tasks: Sequence[Task], roots: DataRoots, cfg_options: Mapping[str, Any]) -> None:
        self.tasks = [task for task in tasks if task.target]
        self.roots = roots
        self.cfg_options = cfg_options

    def check(self, where: str, path: Path, name: str, exporter: Exporter) -> list[str]:
        """Checks one checkpoint.

        Args:
            where: Beginning of the messages.
            path: Checkpoint.
            name: Name of the initialisation.
            exporter: Exports the checkpoint.
        """
        try:
            read_checkpoint(path)
        except UserError as error:
            return [f'{where}: {error}']
        problems, exported = [], {}
        for target in sorted({task.target for task in self.tasks}):
            try:
                exported[target] = exporter.export(path, name, target)
            except UserError as error:
                problems.append(f'{where}: {error}')
        for task in self.tasks:
            if task.target in exported:
                cfg = task_config(task, self.roots[task.data], exported[task.target], 0, self.cfg_options)
                try:
                    load_strictly(cfg, path)
                except UserError as error:
                    problems.append(f'task {task.name}, {where}: {error}')
        return problems

    def check_untrained(self, recipe: Recipe, exporter: Exporter) -> list[str]:
        """Checks with an untrained backbone whether the checkpoint of a pretraining will fit.

        Args:
            recipe: Recipe with a valid config.
            exporter: Exports the untrained checkpoint, which is written to its folder.
        """
        backbone = recipe_config(recipe, self.roots[recipe.data]).model.backbone
        exporter.folder.mkdir(parents=True, exist_ok=True)
        path = exporter.folder / f'{recipe.name}.pth'
        with DefaultScope.overwrite_default_scope('mmssl_geo'):
            torch.save(dict(state_dict=MODELS.build(backbone).state_dict()), path)
        return self.check(f'pretraining {recipe.name}', path, recipe.name, exporter)


def find_problems(
    tasks: Sequence[Task],
    inits: Sequence[Init],
    recipes: Sequence[Recipe],
    roots: DataRoots,
    exporter: Exporter,
    cfg_options: Mapping[str, Any],
    num_processes: int = 1,
    pretrained: Collection[str] = (),
) -> list[str]:
    """Lists everything that is missing or does not fit.

    Args:
        tasks: Tasks to run.
        inits: Initialisations of the tasks.
        recipes: Recipes that they need.
        roots: Roots of the data sets.
        exporter: Exports checkpoints.
        cfg_options: Overrides of the command line.
        num_processes: Number of processes of one training.
        pretrained: Names of recipes whose pretraining is finished.

    Returns:
        One sentence for each problem; empty if the benchmark can start.
    """
    needed = {task.data for task in tasks} | {recipe.data for recipe in recipes}
    problems = check_roots([name for name in roots.datasets if name in needed], roots)
    valid_tasks = []
    for task in tasks:
        print(f'checking {task.name} ...', flush=True)
        try:
            cfg = task_config(task, roots[task.data], None, 0, cfg_options) if task.kind == 'finetune' else None
        except UserError as error:
            problems.append(f'task {task.name}: {error}')
            continue
        problems += check_task(task, cfg, roots, inits, num_processes)
        valid_tasks.append(task)
    forget_files()
    for recipe in recipes:
        problems += check_recipe(recipe, recipes, roots, num_processes)
    checker = CheckpointChecker(valid_tasks, roots, cfg_options)
    for init in inits:
        if init.checkpoint is not None:
            print(f'checking {init.checkpoint} ...', flush=True)
            where = f'initialisation {init.name} ({init.checkpoint})'
            problems += checker.check(where, init.checkpoint, init.name, exporter)
    untrained = Exporter(exporter.folder / 'untrained', exporter.processes)
    for recipe in _distinct_backbones([one for one in recipes if one.name not in pretrained], roots):
        print(f'checking the backbone of {recipe.name} ...', flush=True)
        problems += checker.check_untrained(recipe, untrained)
    return list(dict.fromkeys(problems))


def _explained(where: str, find: Callable[[], list[str]]) -> list[str]:
    """Calls `find`; a UserError that it raises becomes a problem."""
    try:
        return [f'{where}: {problem}' for problem in find()]
    except UserError as error:
        return [f'{where}: {error}']


def _distinct_backbones(recipes: Iterable[Recipe], roots: DataRoots) -> list[Recipe]:
    """Returns the first recipe of each backbone config; recipes whose config cannot be read are left out."""
    by_backbone: dict[str, Recipe] = {}
    for recipe in recipes:
        try:
            backbone = recipe_config(recipe, roots[recipe.data]).model.backbone
        except UserError:
            continue  # reported by `check_recipe`
        by_backbone.setdefault(repr(backbone.to_dict()), recipe)
    return list(by_backbone.values())
