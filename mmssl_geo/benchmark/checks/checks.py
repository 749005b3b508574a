"""Everything that would stop a benchmark, found before it begins."""
from pathlib import Path

import torch
from mmengine.registry import DefaultScope

from mmssl_geo.apis.train import build_or_explain
from mmssl_geo.benchmark.plan.configs import accumulating, for_devices, recipe_config, task_config
from mmssl_geo.benchmark.run.exports import export, load_strictly
from mmssl_geo.checkpoints import read_checkpoint
from mmssl_geo.registry import DATASETS, MODELS
from mmssl_geo.utils.errors import UserError

from .data import data_problems


def find_problems(request, exports, start):
    """All that is missing or does not fit.

    Args:
        request: Request.
        exports: folder for exported checkpoints.
        start: what starts processes: `ProcessGroup.start`.

    Returns:
        list[str]: a sentence each; empty if the benchmark can begin.
    """
    problems, sound = _roots(request), []
    for task in request.tasks:
        print(f'checking {task.name} ...', flush=True)
        try:
            cfg = _config_of(request, task)
        except UserError as error:
            problems.append(f'task {task.name}: {error}')
            continue
        problems += _task(request, task, cfg)
        sound.append(task)
    for recipe in request.recipes:
        problems += _recipe(request, recipe)
    for one in request.inits:
        if one.checkpoint is not None:
            print(f'checking {one.checkpoint} ...', flush=True)
            where = f'start {one.name} ({one.checkpoint})'
            problems += _checkpoint(request, sound, where, one.checkpoint, one.name, exports, start)
    return list(dict.fromkeys(problems + _untrained(request, sound, exports / 'untrained', start)))


def _config_of(request, task, checkpoint=None):
    """The config of a fine-tuning; None of a probe."""
    if task.kind == 'finetune':
        return task_config(task, request.root(task.data), checkpoint, 0, request.options)
    return None


def _roots(request):
    problems = []
    for data in request.data:
        if data.name in request.roots:
            if not request.root(data.name).is_dir():
                problems.append(f'data {data.name}: there is no folder {request.root(data.name)}')
        elif not request.is_made(data):
            problems.append(f'data {data.name}: no root is given; give --data {data.name}=DIR, {data.layout}')
    return problems


def _is_there(request, name):
    return request.root(name).is_dir() and not request.is_made(request.suite.data[name])


def _explained(where, find):
    """What `find()` returns; a UserError in it becomes a problem."""
    try:
        return [f'{where}: {problem}' for problem in find() or ()]
    except UserError as error:
        return [f'{where}: {error}']


def _task(request, task, cfg):
    def find():
        if task.kind == 'probe':
            paths = [Path(word.format(data=request.root(task.data))) for word in task.arguments if '{data}' in word]
            return [f'{path}: no such file or folder' for path in paths
                    if _is_there(request, task.data) and not path.exists()] + _probe_alone(request)
        for_devices(cfg, task.gpus, request.processes)
        return data_problems(cfg) if _is_there(request, task.data) else []
    return _explained(f'task {task.name}', find)


def _probe_alone(request):
    if any(one.checkpoint or one.recipe for one in request.inits):
        return []
    return ['random weights take the architecture of a checkpoint; give one, or leave this task out with --tasks']


def _recipe(request, recipe):
    def find():
        cfg = recipe_config(recipe, request.root(recipe.data))
        accumulating(cfg, recipe.gpus, request.processes)
        if recipe.init and not _same_net(cfg, recipe_config(request.suite.recipes[recipe.init], '')):
            return [f'its backbone is another than that of {recipe.init}, which it goes on from']
        dataset = cfg.train_dataloader.dataset
        if recipe.data not in request.roots and not request.is_made(request.suite.data[recipe.data]):
            return [f'data {recipe.data} also has to hold {Path(value).name}; tools/make_proposals.py makes it'
                    for value in recipe.options.values() if str(value).startswith('{data}/')]
        if not _is_there(request, recipe.data):
            return []
        build_or_explain(cfg, lambda _: DATASETS.build({**dataset, 'pipeline': []}))
        steps = dataset.pipeline.values() if isinstance(dataset.pipeline, dict) else dataset.pipeline
        files = [Path(step['file']) for step in steps if step and step.get('type') == 'mmssl_geo.LoadRegions']
        return [f'{file}: no such file; make it with tools/make_proposals.py' for file in files if not file.is_file()]
    return _explained(f'pretraining {recipe.name}', find)


def _same_net(cfg, other):
    with DefaultScope.overwrite_default_scope('mmssl_geo'):
        nets = [MODELS.build(one.model.backbone).state_dict() for one in (cfg, other)]
    return len({tuple((name, tuple(value.shape)) for name, value in net.items()) for net in nets}) == 1


def _untrained(request, tasks, folder, start):
    """Whether what the recipes will make fits the tasks: their nets, not yet trained, are handed through."""
    problems, seen = [], set()
    for recipe in request.recipes:
        try:
            backbone = recipe_config(recipe, request.root(recipe.data)).model.backbone
        except UserError:
            continue  # `_recipe` has said so
        net = repr(backbone.to_dict())
        if net in seen or request.pretraining(recipe.name).state == 'done':
            continue
        seen.add(net)
        print(f'checking the net of {recipe.name} ...', flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f'{recipe.name}.pth'
        with DefaultScope.overwrite_default_scope('mmssl_geo'):
            torch.save(dict(state_dict=MODELS.build(backbone).state_dict()), path)
        problems += _checkpoint(request, tasks, f'pretraining {recipe.name}', path, recipe.name, folder, start)
    return problems


def _checkpoint(request, tasks, where, path, name, exports, start):
    """Whether a checkpoint can be read, exported for some tasks and loaded by their backbones."""
    problems = _explained(where, lambda: read_checkpoint(path) and None)
    if problems:
        return problems
    exported = {}
    for target in sorted({task.target for task in tasks if task.target}):
        problems += _explained(where, lambda t=target: exported.update({t: export(path, name, t, exports, start)}))
    for task in tasks:
        if task.target in exported:
            problems += _explained(f'task {task.name}, {where}', lambda t=task: load_strictly(
                _config_of(request, t, exported[t.target]), path))
    return problems
