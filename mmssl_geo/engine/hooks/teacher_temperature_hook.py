"""Sets the temperature of the teacher's targets."""

import math
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmssl_geo.engine.runner_values import unwrapped_model
from mmssl_geo.engine.schedules import shortened_warmup
from mmssl_geo.registry import HOOKS
from mmssl_geo.utils.checks import check_counts, check_numbers

SHORTENED_WARMUP = 0.3
"""Fraction of the run, as in a warm-up of 30 of 100 epochs."""


@HOOKS.register_module()
class TeacherTemperatureHook(Hook):
    """Sets the teacher's temperature, linear in the epoch, before every iteration (DINO, official code).

    Epoch 0 has `start`; epoch `warmup_epochs - 1` and all later ones have `end`.

    Args:
        start: Initial temperature.
        end: Final temperature.
        warmup_epochs: Number of warm-up epochs; with 0 all epochs have `end`. A warm-up that is not shorter than the
            run is reduced to three tenths of it, rounded up, with a warning (our choice; the official code fails).
    """

    priority = 'VERY_HIGH'

    def __init__(self, start: float = 0.04, end: float = 0.07, warmup_epochs: int = 30) -> None:
        check_numbers('TeacherTemperatureHook', above=0, start=start, end=end)
        check_counts('TeacherTemperatureHook', at_least=0, warmup_epochs=warmup_epochs)
        self.start = start
        self.end = end
        self.warmup_epochs = warmup_epochs

    def before_train(self, runner: Runner) -> None:
        warmup_epochs = self._shortened_warmup(runner)
        if warmup_epochs != self.warmup_epochs:
            runner.logger.warning(
                f"the warm-up of the teacher's temperature, {self.warmup_epochs} epochs, is not shorter than the run "
                f'of {runner.max_epochs}; it is shortened to {warmup_epochs}'
            )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None) -> None:
        temperature = self.temperature(runner.epoch, self._shortened_warmup(runner))
        unwrapped_model(runner).set_teacher_temperature(temperature)
        runner.message_hub.update_scalar('train/teacher_temperature', temperature)

    def temperature(self, epoch: int, warmup_epochs: int) -> float:
        """Computes the temperature of a 0-based epoch."""
        if epoch >= warmup_epochs:
            return self.end
        return self.start + (self.end - self.start) * epoch / max(1, warmup_epochs - 1)

    def _shortened_warmup(self, runner: Runner) -> int:
        return math.ceil(shortened_warmup(self.warmup_epochs, runner.max_epochs, SHORTENED_WARMUP))
