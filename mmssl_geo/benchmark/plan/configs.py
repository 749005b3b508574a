"""From a suite's task or recipe to the config that a job runs: data, weights, seed and batch are in it."""
import copy
import hashlib
import os
import pprint
from contextlib import contextmanager

from mmssl_geo.apis.train import load_config
from mmssl_geo.utils.errors import UserError


def task_config(task, root, checkpoint, seed, options):
    """The whole config of one job, for as many GPUs as the protocol's.

    Args:
        task: Task of kind 'finetune'.
        root: of its data.
        checkpoint: exported weights, or None for random ones.
        seed: of the run.
        options: the command line's overrides; the task's own come first.

    Raises:
        UserError: the config cannot be read, or an override does not fit.
    """
    with variables(DATA_ROOT=str(root), CHECKPOINT=str(checkpoint or '')):
        cfg = load_config(str(task.config_path), {**task.options, **options, 'randomness.seed': seed})
    return _without_places(cfg)


def recipe_config(recipe, root, checkpoint=None):
    """The whole config of a pretraining, for as many GPUs as the recipe's; `{data}` in its options is the root.

    Args:
        recipe: Recipe.
        root: of its data.
        checkpoint: exported weights that its backbone inits with, or None.

    Raises:
        UserError: as `task_config`.
    """
    options = {key: value.replace('{data}', str(root)) if isinstance(value, str) else value
               for key, value in recipe.options.items()}
    with variables(CHECKPOINT=None):  # the caller's would start every recipe
        cfg = load_config(str(recipe.config_path), options)
    if checkpoint:
        cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=str(checkpoint))
    cfg.train_dataloader.dataset.data_root = str(root)  # a path may hold what overrides would split
    return _without_places(cfg)


def _without_places(cfg):
    cfg.work_dir = cfg.launcher = None
    return cfg


def for_devices(cfg, meant_for, processes):
    """The config of a fine-tuning for another number of processes, the total batch unchanged.

    Raises:
        UserError: the total batch cannot be shared equally.
    """
    cfg = copy.deepcopy(cfg)
    total = cfg.train_dataloader.batch_size * meant_for
    if total % processes:
        raise UserError(f'config {cfg.filename}: its total batch of {total} cannot be shared by {processes} processes; '
                        'give another --gpus-per-job')
    cfg.train_dataloader.batch_size = total // processes
    return cfg


def accumulating(cfg, meant_for, processes):
    """The config of a pretraining for another number of processes, the total batch of a step unchanged.

    Raises:
        UserError: the number of processes does not divide the one that the recipe is meant for.
    """
    cfg = copy.deepcopy(cfg)
    if meant_for % processes:
        raise UserError(f'config {cfg.filename}: meant for {meant_for} GPUs, cannot be shared by {processes} '
                        'processes; give another --gpus-per-job')
    if meant_for > processes:
        own = cfg.optim_wrapper.get('accumulative_counts', 1)
        cfg.optim_wrapper.accumulative_counts = own * meant_for // processes
    return cfg


def config_text(cfg):
    """The whole config as a file. mmengine's `dump` sorts the keys; a pipeline that is a dict lives by their order."""
    return ''.join(f'{name} = {pprint.pformat(value, width=120, sort_dicts=False)}\n'
                   for name, value in cfg.to_dict().items())


def config_digest(cfg, places):
    """Hash of a config's text, the same when a folder of `places` (paths) is moved."""
    text = config_text(cfg)
    for number, place in enumerate(places):
        text = text.replace(str(place), f'<place {number}>')
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path):
    """Hash of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def variables(**values):
    """Environment variables for a while (None: not set); the configs read them."""
    before = {name: os.environ.get(name) for name in values}
    _set(values)
    try:
        yield
    finally:
        _set(before)


def _set(values):
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
