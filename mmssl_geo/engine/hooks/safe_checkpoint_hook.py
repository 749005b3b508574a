"""Checkpoints of a run: also the best one by a probe, and one when the run is told to end."""

import signal
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmssl_geo.registry import HOOKS
from mmssl_geo.utils.errors import UserError

from .probe_hook import ProbeHook

STATUS_AFTER_SIGTERM = 128 + signal.SIGTERM


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's `CheckpointHook` for pretraining.

    `save_best='probe/<name>'` keeps the checkpoint with the largest value of a `ProbeHook`, as
    `best_probe_<name>_epoch_<n>.pth`; a resumed run continues with the best value so far. At SIGTERM, which Slurm and
    Kubernetes send before they end a job, the run saves `interrupted.pth` after the current iteration and ends with
    status 143; `--resume` continues from there.

    Args:
        save_on_sigterm: Whether SIGTERM saves a checkpoint; otherwise it ends the process at once.
        **kwargs: Arguments of mmengine's `CheckpointHook`.

    Raises:
        UserError: In `before_train`, if `save_best` names a value that nothing computes.
    """

    def __init__(self, *args: Any, save_on_sigterm: bool = True, **kwargs: Any) -> None:
        best = kwargs.get('save_best')
        names = [best] if isinstance(best, str) else list(best or [])
        if kwargs.get('rule') is None and names and all(name.startswith('probe/') for name in names):
            kwargs['rule'] = 'greater'
        super().__init__(*args, **kwargs)
        self.save_on_sigterm = save_on_sigterm
        self._is_told_to_end = False
        self._previous_handler: Any = None

    def before_train(self, runner: Runner) -> None:
        super().before_train(runner)
        self._check_save_best(runner)
        if self.save_on_sigterm:
            try:
                self._previous_handler = signal.signal(signal.SIGTERM, self._note_sigterm)
            except ValueError:  # not in the main thread
                self.save_on_sigterm = False

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,  # noqa: ANN401
        outputs: Any = None,  # noqa: ANN401
    ) -> None:
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        if self._is_told_to_end:
            meta = dict(epoch=runner.epoch, iter=runner.iter + 1)
            runner.save_checkpoint(
                self.out_dir, 'interrupted.pth', meta=meta, by_epoch=False, backend_args=self.backend_args
            )
            runner.logger.warning(
                f'SIGTERM: saved {Path(self.out_dir) / "interrupted.pth"} after iteration {runner.iter + 1}; --resume '
                'continues from there'
            )
            self._restore_handler()
            raise SystemExit(STATUS_AFTER_SIGTERM)

    def after_train(self, runner: Runner) -> None:
        super().after_train(runner)
        self._restore_handler()

    def save_if_best(self, runner: Runner, values: Mapping[str, float]) -> None:
        """Saves a checkpoint for each value of `save_best` that is better than all before.

        Called in `after_train_epoch`, before the regular checkpoint of the epoch, which then holds the new best value.

        Args:
            runner: The runner.
            values: Values by name, such as 'probe/accuracy'.
        """
        for name, rule in zip(self.key_indicators, self.rules, strict=True) if self.save_best else ():
            if name not in values:
                continue
            suffix = '' if len(self.key_indicators) == 1 else f'_{name}'
            info = runner.message_hub.runtime_info
            best = info.get(f'best_score{suffix}', self.init_value_map[rule])
            if not self.is_better_than[name](values[name], best):
                continue
            file_name = f'best_{name.replace("/", "_")}_epoch_{runner.epoch + 1}.pth'
            previous = info.get(f'best_ckpt{suffix}')
            path = self.file_backend.join_path(self.out_dir, file_name)
            runner.message_hub.update_info(f'best_score{suffix}', values[name])
            runner.message_hub.update_info(f'best_ckpt{suffix}', path)
            meta = dict(epoch=runner.epoch + 1, iter=runner.iter)
            runner.save_checkpoint(self.out_dir, file_name, meta=meta, backend_args=self.backend_args)
            runner.logger.info(f'best {name} so far, {values[name]:.2f}: saved {file_name}')
            if previous and previous != path and is_main_process() and self.file_backend.isfile(previous):
                self.file_backend.remove(previous)

    def _check_save_best(self, runner: Runner) -> None:
        probes = [hook for hook in runner.hooks if isinstance(hook, ProbeHook)]
        if not self.save_best or runner.val_loop is not None:
            return
        if not probes:
            raise UserError(
                f'default_hooks.checkpoint.save_best={", ".join(self.key_indicators)}: nothing is evaluated here; '
                'add a ProbeHook to custom_hooks, or remove save_best'
            )
        known = sorted({name for hook in probes for name in hook.latest})
        unknown = [name for name in self.key_indicators if name not in known]
        if unknown and is_main_process():  # only the first process evaluates
            raise UserError(
                f'default_hooks.checkpoint.save_best={unknown[0]}: the probes of this run give {", ".join(known)}'
            )

    def _note_sigterm(self, number: int, frame: FrameType | None) -> None:
        self._is_told_to_end = True

    def _restore_handler(self) -> None:
        if self._previous_handler is not None:
            signal.signal(signal.SIGTERM, self._previous_handler)
            self._previous_handler = None
