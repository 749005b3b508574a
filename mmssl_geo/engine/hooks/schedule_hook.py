"""Sets learning rate, weight decay and loss gates before every iteration."""

from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmssl_geo.engine.runner_values import optimizer_steps, total_batch_size, unwrapped_model
from mmssl_geo.engine.schedules import shortened_warmup, warmup_cosine
from mmssl_geo.registry import HOOKS
from mmssl_geo.utils.checks import check_counts, check_keys, check_numbers
from mmssl_geo.utils.errors import UserError

HOOK_KEYS = {
    'lr': 'default_hooks.schedule.learning_rate.base (and learning_rate.batch=None for a rate that does not scale '
    'with the batch size)',
    'weight_decay': 'default_hooks.schedule.weight_decay.start and weight_decay.end',
}
"""What to set in place of an option of the optimizer."""


@HOOKS.register_module()
class ScheduleHook(Hook):
    """Sets learning rate and weight decay as functions of the optimizer step (GTSA, official code).

    It keeps no state: a resumed run computes the same values. The peak learning rate is `base * total batch / batch`,
    where the total batch counts processes and gradient accumulation. Weight decay applies to the parameter groups
    that `DecayGroupsConstructor` marks. If the model has `set_epoch(epoch, warmup_epochs)`, the hook calls it.

    The config must not set the same values elsewhere: `lr` and `weight_decay` of the optimizer, `param_scheduler` and
    `auto_scale_lr` are refused.

    Args:
        learning_rate: `dict(base=..., batch=..., end=...)`; with `batch=None` the peak is `base`.
        weight_decay: `dict(start=..., end=...)`.
        warmup_epochs: Number of epochs of the linear warm-up of the learning rate from 0. A warm-up that is not shorter
            than the run is reduced to a tenth of it, with a warning.

    Raises:
        UserError: In `before_run`, if the config sets one of these values elsewhere.
    """

    priority = 'HIGHEST'  # before RuntimeInfoHook logs the learning rate
    schedules = ('learning rate', 'weight decay')

    def __init__(
        self, learning_rate: Mapping[str, float | None], weight_decay: Mapping[str, float], warmup_epochs: float
    ) -> None:
        check_keys('ScheduleHook', 'learning_rate', learning_rate, ('base', 'end'), ('batch',))
        check_keys('ScheduleHook', 'weight_decay', weight_decay, ('start', 'end'))
        rate = 'ScheduleHook.learning_rate'
        check_numbers(rate, at_least=0, base=learning_rate['base'], end=learning_rate['end'])
        if learning_rate.get('batch') is not None:
            check_counts(rate, batch=learning_rate['batch'])
        decay = 'ScheduleHook.weight_decay'
        check_numbers(decay, at_least=0, start=weight_decay['start'], end=weight_decay['end'])
        check_numbers('ScheduleHook', at_least=0, warmup_epochs=warmup_epochs)
        self.learning_rate: dict[str, Any] = dict(learning_rate)
        self.weight_decay = dict(weight_decay)
        self.warmup_epochs = warmup_epochs

    def before_run(self, runner: Runner) -> None:
        optimizer_cfg = (runner.cfg.get('optim_wrapper') or {}).get('optimizer') or {}
        for key, replacement in HOOK_KEYS.items():
            if key in optimizer_cfg:
                raise UserError(
                    f'optim_wrapper.optimizer.{key} has no effect, because ScheduleHook sets the value in every '
                    f'iteration: remove it and set {replacement}'
                )
        if runner.param_schedulers:
            raise UserError(
                'param_scheduler conflicts with ScheduleHook, which sets the learning rate in every iteration: remove '
                'it, or remove default_hooks.schedule'
            )
        if (runner.auto_scale_lr or {}).get('enable'):
            raise UserError(
                'auto_scale_lr conflicts with ScheduleHook, which sets the learning rate in every iteration: remove it '
                'and set default_hooks.schedule.learning_rate.batch to the batch size that the base rate is for'
            )

    def before_train(self, runner: Runner) -> None:
        warmup_epochs = shortened_warmup(self.warmup_epochs, runner.max_epochs)
        if warmup_epochs != self.warmup_epochs:
            runner.logger.warning(
                f'the warm-up of {self.warmup_epochs} epochs is not shorter than the run of {runner.max_epochs}; '
                f'it is shortened to {warmup_epochs:g}'
            )
        runner.logger.info(self._describe_peak(runner))

    def peak(self, runner: Runner) -> float:
        """Computes the learning rate at the end of the warm-up."""
        base, batch = self.learning_rate['base'], self.learning_rate.get('batch')
        return base if batch is None else base * total_batch_size(runner) / batch

    def _describe_peak(self, runner: Runner) -> str:
        base, batch = self.learning_rate['base'], self.learning_rate.get('batch')
        text, images = f'peak learning rate {self.peak(runner):.3g}', total_batch_size(runner)
        if batch is None:
            return (
                f'{text}, fixed (default_hooks.schedule.learning_rate.batch=None): it does not scale with the {images} '
                'images per optimizer step'
            )
        return (
            f'{text} = {base:g} * {images} images per optimizer step / {batch} (default_hooks.schedule.learning_rate)'
        )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None) -> None:
        step, total = optimizer_steps(runner)
        warmup_epochs = shortened_warmup(self.warmup_epochs, runner.max_epochs)
        warmup_steps = int(total * warmup_epochs / runner.max_epochs)
        learning_rate = warmup_cosine(step, total, self.peak(runner), self.learning_rate['end'], warmup_steps)
        weight_decay = warmup_cosine(step, total, self.weight_decay['start'], self.weight_decay['end'])
        for group in runner.optim_wrapper.param_groups:
            group['lr'] = learning_rate
            if group.get('decayed'):  # mmengine's extra group of base settings has no such key
                group['weight_decay'] = weight_decay
        model = unwrapped_model(runner)
        if hasattr(model, 'set_epoch'):
            model.set_epoch(runner.epoch, warmup_epochs)
        runner.message_hub.update_scalar('train/weight_decay', weight_decay)
