"""Losses reach the log without the host waiting for the device in every iteration."""
import math

import torch
from mmengine.hooks import LoggerHook, RuntimeInfoHook

from mmssl_geo.registry import HOOKS


@HOOKS.register_module()
class DeferredInfoHook(RuntimeInfoHook):
    """mmengine's `RuntimeInfoHook`, but values of the model stay on the device until they are logged (our choice).

    mmengine's reads every loss in every iteration, and the host then waits for the device to get there. Here all
    values since the last time are handed over at once: where a `LoggerHook` logs, at the end of an epoch and before a
    checkpoint is saved. Log and checkpoint hold the same values in the same order.

    The norm of the gradients is the wrapper's `grad_norm`, where it clips (`PerTensorClipMixin`); it is left out in a
    step that the loss scaler skips.
    """

    def __init__(self):
        self._kept = []  # (key, value), oldest first

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self._kept.extend((f'train/{name}', value.detach() if isinstance(value, torch.Tensor) else value)
                          for name, value in (outputs or {}).items())
        norm = getattr(runner.optim_wrapper, 'grad_norm', None)
        if norm is not None:
            self._kept.append((f'train/{runner.optim_wrapper.grad_name}', norm))
            runner.optim_wrapper.grad_norm = None
        if self.end_of_epoch(runner.train_dataloader, batch_idx) or any(
                self.every_n_inner_iters(batch_idx, hook.interval)
                for hook in runner.hooks if isinstance(hook, LoggerHook)):
            self._hand_over(runner)

    def before_save_checkpoint(self, runner, checkpoint):
        if self._kept:
            self._hand_over(runner)
            checkpoint['message_hub'] = runner.message_hub.state_dict()

    def _hand_over(self, runner):
        tensors = [value.double() for _, value in self._kept if isinstance(value, torch.Tensor)]
        numbers = iter(torch.stack(tensors).tolist() if tensors else [])  # here the host waits for the device
        for key, value in self._kept:
            number = next(numbers) if isinstance(value, torch.Tensor) else value
            if math.isfinite(number) or not key.endswith('grad_norm'):
                runner.message_hub.update_scalar(key, number)
        self._kept.clear()
