"""Updates the EMA teacher."""

from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmssl_geo.engine.runner_values import accumulative_counts, optimizer_steps, unwrapped_model
from mmssl_geo.engine.schedules import warmup_cosine
from mmssl_geo.registry import HOOKS
from mmssl_geo.utils.checks import check_fractions, check_keys


@HOOKS.register_module()
class TeacherUpdateHook(Hook):
    """Makes one EMA step of the teacher per optimizer step, before the student's forward pass.

    At step t the teacher is updated with the momentum of step t towards the student after t optimizer steps. In the
    official GTSA code the update is between the two forward passes of step t, which gives the same values. The momentum
    is logged as `teacher_momentum`; it is not the optimizer's momentum.

    Args:
        momentum: `dict(start=..., end=...)`, a cosine over the optimizer steps of the run.
    """

    priority = 'VERY_HIGH'
    schedules = ('teacher momentum',)

    def __init__(self, momentum: Mapping[str, float]) -> None:
        check_keys('TeacherUpdateHook', 'momentum', momentum, ('start', 'end'))
        check_fractions('TeacherUpdateHook.momentum', **momentum)
        self.momentum = dict(momentum)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None) -> None:
        step, total = optimizer_steps(runner)
        momentum = warmup_cosine(step, total, self.momentum['start'], self.momentum['end'])
        if runner.iter % accumulative_counts(runner) == 0:
            unwrapped_model(runner).update_teacher(momentum)
        runner.message_hub.update_scalar('train/teacher_momentum', momentum)
