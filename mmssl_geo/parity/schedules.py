"""Every value of the schedules, as the config's hooks set them."""
from copy import deepcopy
from types import SimpleNamespace

import torch
from mmengine.logging import MMLogger
from torch import nn

from mmssl_geo.registry import HOOKS

from .optimizer import build_wrapper
from .quantity import Quantity, relative_difference
from .reference import number

_TOLERANCE = 1e-9


class _Teacher(nn.Linear):
    """A model with a weight that is decayed and a bias that is not; it notes the momenta of its teacher."""

    def __init__(self):
        super().__init__(1, 1)
        self.momenta = []

    def update_teacher(self, momentum):
        self.momenta.append(momentum)


class _Scalars(dict):
    """Stands for mmengine's message hub, which would copy its whole history at every value."""
    update_scalar = dict.__setitem__


def schedule_quantities(cfg, reference):
    """Learning rate, weight decay and EMA momentum of every step of a run with the file's numbers."""
    stored = reference.schedules
    hooks = _build_hooks(cfg, stored)
    runner = _runner(cfg, stored)
    seen = dict(lr=[], weight_decay=[])
    for hook in hooks:
        hook.before_train(runner)
    for iteration in range(runner.max_iters):
        runner.iter, (runner.epoch, batch) = iteration, divmod(iteration, number(stored, 'iters_per_epoch'))
        for hook in hooks:
            hook.before_train_iter(runner, batch)
        decayed = next(group for group in runner.optim_wrapper.param_groups if group.get('decayed'))
        for name, values in seen.items():
            values.append(decayed[name])
    seen['momentum'] = runner.model.momenta
    for name, title in (('lr', 'learning rate'), ('weight_decay', 'weight decay'), ('momentum', 'teacher momentum')):
        ours = torch.tensor(seen[name], dtype=torch.float64)
        yield Quantity(f'schedules: {title}', relative_difference(ours, stored[name]), _TOLERANCE)


def _build_hooks(cfg, stored):
    """The config's two hooks with the file's numbers."""
    hooks = deepcopy({name: cfg.default_hooks[name] for name in ('schedule', 'teacher_update')})
    schedule, teacher = hooks['schedule'], hooks['teacher_update']
    schedule['learning_rate'].update(base=number(stored, 'base_lr'), end=number(stored, 'min_lr'))
    schedule['weight_decay'].update(
        start=number(stored, 'weight_decay_start'), end=number(stored, 'weight_decay_end'))
    schedule['warmup_epochs'] = number(stored, 'warmup_epochs')
    teacher['momentum']['start'] = number(stored, 'momentum_start')
    return [HOOKS.build(hook) for hook in (schedule, teacher)]


def _runner(cfg, stored):
    """What the hooks ask a runner for."""
    model = _Teacher()
    return SimpleNamespace(
        model=model, optim_wrapper=build_wrapper(cfg, model, cfg.optim_wrapper.clip_grad.max_norm),
        train_dataloader=SimpleNamespace(batch_size=number(stored, 'batch_size')), world_size=1,
        max_epochs=number(stored, 'epochs'), max_iters=number(stored, 'epochs') * number(stored, 'iters_per_epoch'),
        message_hub=_Scalars(), logger=MMLogger.get_instance('parity', log_level='WARNING'))
