"""Logs losses without a device synchronisation in every iteration."""

import math
from typing import Any

import torch
from mmengine.hooks import LoggerHook, RuntimeInfoHook
from mmengine.runner import Runner

from mmssl_geo.registry import HOOKS


@HOOKS.register_module()
class DeferredInfoHook(RuntimeInfoHook):
    """mmengine's `RuntimeInfoHook`, except that values of the model stay on the device until they are logged.

    mmengine reads every loss in every iteration, which makes the host wait for the device. This hook transfers all
    values at once where a `LoggerHook` logs, at the end of an epoch and before a checkpoint is saved. Log and
    checkpoint hold the same values in the same order.

    The norm of the gradients is `grad_norm` of a wrapper with `PerTensorClipMixin`; it is left out in a step that the
    loss scaler skips.
    """

    def __init__(self) -> None:
        self._pending: list[tuple[str, Any]] = []  # key and value, oldest first

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        self._pending.extend(
            (f'train/{name}', value.detach() if isinstance(value, torch.Tensor) else value)
            for name, value in (outputs or {}).items()
        )
        norm = getattr(runner.optim_wrapper, 'grad_norm', None)
        if norm is not None:
            self._pending.append((f'train/{runner.optim_wrapper.grad_name}', norm))
            runner.optim_wrapper.grad_norm = None
        if self.end_of_epoch(runner.train_dataloader, batch_idx) or any(
            self.every_n_inner_iters(batch_idx, hook.interval) for hook in runner.hooks if isinstance(hook, LoggerHook)
        ):
            self._transfer(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        if self._pending:
            self._transfer(runner)
            checkpoint['message_hub'] = runner.message_hub.state_dict()

    def _transfer(self, runner: Runner) -> None:
        tensors = [value.double() for _, value in self._pending if isinstance(value, torch.Tensor)]
        numbers = iter(torch.stack(tensors).tolist() if tensors else [])  # synchronises with the device
        for key, value in self._pending:
            number = next(numbers) if isinstance(value, torch.Tensor) else value
            if math.isfinite(number) or not key.endswith('grad_norm'):
                runner.message_hub.update_scalar(key, number)
        self._pending.clear()
