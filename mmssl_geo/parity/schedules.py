"""Every value of the schedules, as the config's hooks set them."""

from collections.abc import Iterator
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from torch import nn

from mmssl_geo.registry import HOOKS

from .models import build_wrapper
from .quantity import Quantity, relative_difference
from .reference import Arrays, Reference, integer, scalar

_TOLERANCE = 1e-9


class _TeacherModel(nn.Linear):
    """A model with a decayed weight and a bias that is not decayed, which records the momenta of its teacher."""

    def __init__(self) -> None:
        super().__init__(1, 1)
        self.momenta: list[float] = []

    def update_teacher(self, momentum: float) -> None:
        self.momenta.append(momentum)


class _MessageHub(dict):
    """Replaces mmengine's message hub, which would copy its whole history for every value."""

    def update_scalar(self, name: str, value: float) -> None:
        self[name] = value


def schedule_quantities(cfg: Config, reference: Reference) -> Iterator[Quantity]:
    """Compares learning rate, weight decay and EMA momentum of every iteration of a run with the file's settings."""
    arrays = reference.schedules
    hooks = _build_hooks(cfg, arrays)
    runner = _build_runner(cfg, arrays)
    values: dict[str, list[float]] = dict(lr=[], weight_decay=[])
    for hook in hooks:
        hook.before_train(runner)
    for iteration in range(runner.max_iters):
        runner.iter, (runner.epoch, batch_idx) = iteration, divmod(iteration, integer(arrays, 'iters_per_epoch'))
        for hook in hooks:
            hook.before_train_iter(runner, batch_idx)
        decayed = next(group for group in runner.optim_wrapper.param_groups if group.get('decayed'))
        for name in ('lr', 'weight_decay'):
            values[name].append(decayed[name])
    values['momentum'] = runner.model.momenta
    for name, title in (('lr', 'learning rate'), ('weight_decay', 'weight decay'), ('momentum', 'teacher momentum')):
        ours = torch.tensor(values[name], dtype=torch.float64)
        yield Quantity(f'schedules: {title}', relative_difference(ours, arrays[name]), _TOLERANCE)


def _build_hooks(cfg: Config, arrays: Arrays) -> list[Hook]:
    """Builds the config's two hooks with the file's settings."""
    hooks: dict[str, Any] = deepcopy({name: cfg.default_hooks[name] for name in ('schedule', 'teacher_update')})
    schedule, teacher_update = hooks['schedule'], hooks['teacher_update']
    schedule['learning_rate'].update(base=scalar(arrays, 'base_lr'), end=scalar(arrays, 'min_lr'))
    schedule['weight_decay'].update(start=scalar(arrays, 'weight_decay_start'), end=scalar(arrays, 'weight_decay_end'))
    schedule['warmup_epochs'] = scalar(arrays, 'warmup_epochs')
    teacher_update['momentum']['start'] = scalar(arrays, 'momentum_start')
    return [HOOKS.build(hook) for hook in (schedule, teacher_update)]


def _build_runner(cfg: Config, arrays: Arrays) -> SimpleNamespace:
    """Builds the attributes of a runner that the hooks use."""
    model = _TeacherModel()
    epochs = integer(arrays, 'epochs')
    return SimpleNamespace(
        model=model,
        optim_wrapper=build_wrapper(cfg, model, cfg.optim_wrapper.clip_grad.max_norm),
        train_dataloader=SimpleNamespace(batch_size=integer(arrays, 'batch_size')),
        world_size=1,
        max_epochs=epochs,
        max_iters=epochs * integer(arrays, 'iters_per_epoch'),
        message_hub=_MessageHub(),
        logger=MMLogger.get_instance('parity', log_level='WARNING'),
    )
