"""Complete configs of jobs and pretrainings: data, weights, seed and batch size are filled in."""

import copy
import hashlib
import os
import pprint
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmssl_geo.apis.config import load_config
from mmssl_geo.utils.errors import UserError

from .suite import Recipe, Task


def task_config(
    task: Task, root: str | Path, checkpoint: str | Path | None, seed: int, cfg_options: Mapping[str, Any]
) -> Config:
    """Builds the config of one fine-tuning, for the number of GPUs of the task.

    Args:
        task: Task of kind 'finetune'.
        root: Root of its data set.
        checkpoint: Exported weights; None: random weights.
        seed: Seed of the run.
        cfg_options: Overrides of the command line, which take precedence over those of the task.

    Raises:
        UserError: If the config cannot be read or an override does not fit.
    """
    with environment(DATA_ROOT=str(root), CHECKPOINT=str(checkpoint or '')):
        cfg = load_config(str(task.config_path), {**task.cfg_options, **cfg_options, 'randomness.seed': seed})
    return _without_work_dir(cfg)


def recipe_config(recipe: Recipe, root: str | Path, checkpoint: str | Path | None = None) -> Config:
    """Builds the config of a pretraining, for the number of GPUs of the recipe.

    Args:
        recipe: Recipe; `{data}` in its `cfg_options` is replaced by the root.
        root: Root of its data set.
        checkpoint: Exported weights that initialise the backbone; None: random weights.

    Raises:
        UserError: If the config cannot be read or an override does not fit.
    """
    options = {
        key: value.replace('{data}', str(root)) if isinstance(value, str) else value
        for key, value in recipe.cfg_options.items()
    }
    with environment(DATA_ROOT=None, CHECKPOINT=None):  # those of the caller would apply to every recipe
        cfg = load_config(str(recipe.config_path), options)
    if checkpoint:
        cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=str(checkpoint))
    cfg.train_dataloader.dataset.data_root = str(root)  # a path may contain characters that overrides split at
    return _without_work_dir(cfg)


def _without_work_dir(cfg: Config) -> Config:
    cfg.work_dir = cfg.launcher = None
    return cfg


def scale_batch_size(cfg: Config, num_gpus: int, num_processes: int) -> Config:
    """Returns the config of a fine-tuning for another number of processes, with the same total batch size.

    Args:
        cfg: Config.
        num_gpus: Number of GPUs that its batch size is meant for.
        num_processes: Number of processes to run on.

    Raises:
        UserError: If the total batch cannot be divided equally.
    """
    cfg = copy.deepcopy(cfg)
    total = cfg.train_dataloader.batch_size * num_gpus
    if total % num_processes:
        raise UserError(
            f'config {cfg.filename}: its total batch of {total} cannot be divided by {num_processes} '
            'processes; give another --gpus-per-job'
        )
    cfg.train_dataloader.batch_size = total // num_processes
    return cfg


def accumulate_gradients(cfg: Config, num_gpus: int, num_processes: int) -> Config:
    """Returns the config of a pretraining for fewer processes, with the same total batch size of an optimizer step.

    Args:
        cfg: Config.
        num_gpus: Number of GPUs that its batch size is meant for.
        num_processes: Number of processes to run on.

    Raises:
        UserError: If `num_processes` does not divide `num_gpus`.
    """
    cfg = copy.deepcopy(cfg)
    if num_gpus % num_processes:
        raise UserError(
            f'config {cfg.filename}: its {num_gpus} GPUs cannot be divided by {num_processes} processes; '
            'give another --gpus-per-job'
        )
    if num_gpus > num_processes:
        counts = cfg.optim_wrapper.get('accumulative_counts', 1)
        cfg.optim_wrapper.accumulative_counts = counts * num_gpus // num_processes
    return cfg


def config_text(cfg: Config) -> str:
    """Formats a config as a file. Unlike mmengine's `dump` it keeps the order of keys, which orders pipelines."""
    return ''.join(
        f'{name} = {pprint.pformat(value, width=120, sort_dicts=False)}\n' for name, value in cfg.to_dict().items()
    )


def config_digest(cfg: Config, folders: Sequence[str | Path]) -> str:
    """Returns the SHA-256 of a config's text, independent of where the given folders are."""
    text = config_text(cfg)
    for number, folder in enumerate(folders):
        text = text.replace(str(folder), f'<place {number}>')
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: str | Path) -> str:
    """Returns the SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def environment(**values: str | None) -> Iterator[None]:
    """Sets environment variables, which configs read, and restores them afterwards; None unsets one."""
    before = {name: os.environ.get(name) for name in values}
    _set(values)
    try:
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
