"""The temperature of the teacher's targets."""
import math

from mmengine.hooks import Hook

from mmssl_geo.engine.runner_state import unwrapped_model
from mmssl_geo.engine.schedules import shortened_warmup
from mmssl_geo.registry import HOOKS

SHARE = 0.3  # of a run that the warm-up would fill; the full warm-up is 30 of 100 epochs


@HOOKS.register_module()
class TeacherTemperatureHook(Hook):
    """Sets the teacher's temperature, linear in the epoch, before every iteration (DINO, official code).

    Epoch 0 has `start`; epoch `warmup_epochs - 1` and all later ones have `end`.

    Args:
        start, end: temperatures.
        warmup_epochs: whole number of epochs; 0 takes `end` at once. A warm-up that is not shorter than the run is
            cut to three tenths of it, rounded up, with a warning (our choice; the official code fails then).
    """
    priority = 'VERY_HIGH'

    def __init__(self, start=0.04, end=0.07, warmup_epochs=30):
        self.start = start
        self.end = end
        self.warmup_epochs = warmup_epochs

    def before_train(self, runner):
        warmup_epochs = self._warmup(runner)
        if warmup_epochs != self.warmup_epochs:
            runner.logger.warning(
                f"the warm-up of the teacher's temperature, {self.warmup_epochs} epochs, is not shorter than the run "
                f'of {runner.max_epochs}; it is shortened to {warmup_epochs}')

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        temperature = self.value(runner.epoch, self._warmup(runner))
        unwrapped_model(runner).set_teacher_temperature(temperature)
        runner.message_hub.update_scalar('train/teacher_temperature', temperature)

    def value(self, epoch, warmup_epochs):
        """Temperature of a 0-based epoch."""
        if epoch >= warmup_epochs:
            return self.end
        return self.start + (self.end - self.start) * epoch / max(1, warmup_epochs - 1)

    def _warmup(self, runner):
        return math.ceil(shortened_warmup(self.warmup_epochs, runner.max_epochs, SHARE))
