"""Epoch-based training that can resume at any iteration."""

from typing import Any

from mmengine.hooks import CheckpointHook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from mmssl_geo.datasets.samplers import EpochSampler
from mmssl_geo.registry import LOOPS
from mmssl_geo.utils.errors import UserError

from .hooks.schedule_hook import ScheduleHook
from .hooks.teacher_update_hook import TeacherUpdateHook
from .log_filter import hide_mmengine_notices
from .runner_values import accumulative_counts, optimizer_steps, unwrapped_model

DATA_STREAM = 'data_stream'
"""Key of the message hub for the properties that determine the order of the data."""
RUN_LENGTH = 'run_length'
"""Key of the message hub for the epochs and optimizer steps that the schedules span."""
REQUIRED_HOOKS = {
    'update_teacher': (TeacherUpdateHook, 'default_hooks.teacher_update'),
    'set_epoch': (ScheduleHook, 'default_hooks.schedule'),
}
"""Hooks that call a method of the model, and their config keys; a model with the method requires the hook."""


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """mmengine's epoch loop that resumes with the next batch.

    Batches that were trained on before a checkpoint in mid-epoch are skipped in the sampler; none is read. The
    checkpoint holds what determines the order of the data: images, total batch size and seed. If any of it differs, the
    run resumes at the beginning of the current epoch, with a warning.

    No checkpoint holds partially accumulated gradients. Checkpoints saved by iteration must therefore be saved at
    optimizer steps. For checkpoints saved by epoch, a warning is logged if an epoch is not a multiple of the
    accumulation.

    Schedules span the run. If a resumed run has another length, a warning names the schedules (`schedules` of the
    hooks) that change. Resuming a finished run logs a warning and trains nothing.

    Args:
        runner: The runner.
        dataloader: Data loader or its config; the sampler must be an `EpochSampler`.
        **kwargs: Arguments of mmengine's `EpochBasedTrainLoop`, such as `max_epochs`.

    Raises:
        UserError: If the sampler is another one, the data is less than a batch, or (in `run`) a required hook is
            missing or checkpoints would be saved between optimizer steps.
    """

    _epoch: int
    _iter: int

    def __init__(self, runner: Runner, dataloader: DataLoader | dict[str, Any], **kwargs: Any) -> None:  # noqa: ANN401
        hide_mmengine_notices(runner.logger)
        self._seed_when_built = runner.seed
        super().__init__(runner, dataloader, **kwargs)
        self.sampler = self.dataloader.batch_sampler.sampler
        self.batch_size = self.dataloader.batch_sampler.batch_size
        if not isinstance(self.sampler, EpochSampler):
            raise UserError(
                f'ResumableEpochLoop cannot resume a {type(self.sampler).__name__}: '
                'set train_dataloader.sampler.type=mmssl_geo.EpochSampler'
            )
        if len(self.dataloader) == 0:
            raise UserError(
                f'{self.sampler.num_images} images give {self.sampler.num_samples} to each of '
                f'{self.sampler.world_size} processes, less than one batch of {self.batch_size}: '
                'lower train_dataloader.batch_size'
            )

    def run(self) -> nn.Module:
        """Trains from the beginning, or from the position of a resumed checkpoint."""
        self._check_required_hooks()
        self._check_checkpoint_intervals()
        self._restore_position()
        if self._epoch >= self._max_epochs:
            self.runner.logger.warning(
                f'nothing to train: the run has already finished {self._epoch} of {self._max_epochs} epochs; raise '
                'train_cfg.max_epochs to continue it, or start a new run in another work directory'
            )
            return self.runner.model
        self._check_run_length()
        return super().run()

    def run_epoch(self) -> None:
        """Trains for an epoch, or for the rest of it after a resume."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        batches_done = self._iter - self._epoch * len(self.dataloader)
        self.sampler.set_epoch(self._epoch)
        self.sampler.set_start(batches_done * self.batch_size)
        for index, data_batch in enumerate(self.dataloader, batches_done):
            self.run_iter(index, data_batch)

        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _restore_position(self) -> None:
        # Runner.resume adopts the checkpoint's seed after the sampler has been built with another one
        if self.sampler.seed == self._seed_when_built:
            self.sampler.seed = self.runner.seed
        if getattr(self.dataloader.dataset, 'seed', 0) is None:
            self.dataloader.dataset.seed = self.runner.seed
        saved = self.runner.message_hub.get_info(DATA_STREAM)
        stream = self._describe_data_stream()
        self.runner.message_hub.update_info(DATA_STREAM, stream)
        if self._iter == 0:
            return
        length = len(self.dataloader)
        if saved in (None, stream) and 0 <= self._iter - self._epoch * length <= length:
            self._epoch, num_skipped = divmod(self._iter, length)  # the last batch of an epoch leads to the next epoch
            if self._epoch < self._max_epochs:
                self.runner.logger.info(f'resuming in epoch {self._epoch + 1} after {num_skipped} of its batches')
        else:
            self._restart_epoch(saved or {}, stream)

    def _describe_data_stream(self) -> dict[str, Any]:
        return dict(
            num_images=self.sampler.num_images,
            total_batch_size=self.batch_size * self.sampler.world_size,
            batches_per_epoch=len(self.dataloader),
            shuffle=self.sampler.shuffle,
            seed=self.sampler.seed,
        )

    def _restart_epoch(self, saved: dict[str, Any], stream: dict[str, Any]) -> None:
        """Moves to the beginning of an epoch and sets the iteration according to the new length of an epoch."""
        if self._iter == (self._epoch + 1) * saved.get('batches_per_epoch', 0):
            self._epoch += 1
        saved_iter, self._iter = self._iter, self._epoch * len(self.dataloader)
        changes = ', '.join(
            f'{key} {saved.get(key, "unknown")} -> {value}' for key, value in stream.items() if saved.get(key) != value
        )
        self.runner.logger.warning(
            f'the order of the data differs from that of the checkpoint ({changes}): the run resumes at the beginning '
            f'of epoch {self._epoch + 1}, iteration {saved_iter} becomes {self._iter}'
        )
        self.runner.optim_wrapper.initialize_count_status(self.runner.model, self._iter, self._max_iters)

    def _check_required_hooks(self) -> None:
        model, hooks = unwrapped_model(self.runner), self.runner.hooks
        for method, (hook_type, key) in REQUIRED_HOOKS.items():
            if hasattr(model, method) and not any(isinstance(hook, hook_type) for hook in hooks):
                raise UserError(
                    f'{type(model).__name__} requires {hook_type.__name__}, which calls `{method}`: restore {key}, or '
                    f'add a hook derived from {hook_type.__name__}'
                )
        rates = [group.get('initial_lr', group['lr']) for group in self.runner.optim_wrapper.param_groups]
        if not any(rates) and not any(isinstance(hook, ScheduleHook) for hook in hooks):
            raise UserError(
                'the learning rate is 0 and no ScheduleHook sets it: restore default_hooks.schedule, or set '
                'optim_wrapper.optimizer.lr'
            )

    def _check_run_length(self) -> None:
        """Warns if schedules span another number of steps than when the checkpoint was saved."""
        saved = self.runner.message_hub.get_info(RUN_LENGTH)
        length = dict(epochs=self._max_epochs, steps=optimizer_steps(self.runner)[1])
        self.runner.message_hub.update_info(RUN_LENGTH, length)
        schedules = [name for hook in self.runner.hooks for name in getattr(hook, 'schedules', ())]
        if self._iter > 0 and saved not in (None, length) and schedules:
            self.runner.logger.warning(
                f'the schedules of {", ".join(schedules)} spanned {saved["epochs"]} epochs ({saved["steps"]} optimizer '
                f'steps) when the checkpoint was saved, and now span {length["epochs"]} epochs ({length["steps"]} '
                'optimizer steps): their values jump at this point; to avoid it, resume with the same '
                'train_cfg.max_epochs and batch size'
            )

    def _check_checkpoint_intervals(self) -> None:
        """Checks that no checkpoint is saved between optimizer steps."""
        counts = accumulative_counts(self.runner)
        for hook in self.runner.hooks:
            if not isinstance(hook, CheckpointHook) or hook.interval <= 0:
                continue
            if not hook.by_epoch and (hook.interval % counts or hook.save_begin % counts):
                raise UserError(
                    f'checkpoints every {hook.interval} iterations from iteration {hook.save_begin} would lack '
                    'partially accumulated gradients and could not be resumed exactly: set '
                    'default_hooks.checkpoint.interval and save_begin to multiples of '
                    f'optim_wrapper.accumulative_counts={counts}'
                )
            if hook.by_epoch and hook.interval * len(self.dataloader) % counts:
                self.runner.logger.warning(
                    f'an epoch of {len(self.dataloader)} iterations is not a multiple of accumulative_counts={counts}: '
                    f"a run resumed from an epoch's checkpoint lacks the gradients of up to {counts - 1} iterations; "
                    f'to resume exactly, set default_hooks.checkpoint.by_epoch=False and interval to a multiple of '
                    f'{counts}'
                )
