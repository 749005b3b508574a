"""The one place where the EMA teacher moves."""
from mmengine.hooks import Hook

from mmssl_geo.engine.runner_state import accumulative_counts, unwrapped_model, optimizer_steps
from mmssl_geo.engine.schedules import warmup_cosine
from mmssl_geo.registry import HOOKS


@HOOKS.register_module()
class TeacherUpdateHook(Hook):
    """One EMA step of the teacher per optimizer step, before the student's forward.

    At step t the teacher has been moved with `momentum[t]` towards the student after t optimizer steps (GTSA,
    official code, where the update stands between the two forwards of step t: the same values).

    Args:
        momentum: `dict(start=..., end=...)`, cosine over the run's optimizer steps.
    """
    priority = 'VERY_HIGH'

    def __init__(self, momentum):
        self.momentum = dict(momentum)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        step, total = optimizer_steps(runner)
        momentum = warmup_cosine(step, total, self.momentum['start'], self.momentum['end'])
        if runner.iter % accumulative_counts(runner) == 0:
            unwrapped_model(runner).update_teacher(momentum)
        runner.message_hub.update_scalar('train/momentum', momentum)
