"""Stops a run whose loss or weights are no longer finite, before a checkpoint of it is written."""
import math

import torch
from mmengine.hooks import Hook

from mmssl_geo.registry import HOOKS
from mmssl_geo.utils.errors import NonFiniteLossError, UserError


@HOOKS.register_module()
class FiniteHook(Hook):
    """Keeps spoilt weights out of checkpoints; for pretraining and for fine-tuning (our choice).

    Losses on a GPU are looked at one iteration later, when they have long been computed, so that the host never waits
    for them. Weights that such a loss has spoilt in the meantime are not saved.

    Raises:
        NonFiniteLossError: in `after_train_iter`, if a loss of this iteration (on a GPU: of the one before) is
            infinite or NaN; in `after_train_epoch`, if one of the last iteration is.
        UserError: in `before_save_checkpoint`, if a weight is; nothing is written then.
    """
    priority = 'VERY_HIGH'

    def __init__(self):
        self._flags = None

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        losses = {name: value for name, value in (outputs or {}).items() if 'loss' in name}
        on_gpu = {name: value for name, value in losses.items() if isinstance(value, torch.Tensor) and value.is_cuda}
        bad = [name for name, value in losses.items() if name not in on_gpu and not math.isfinite(_number(value))]
        if bad:
            raise NonFiniteLossError(bad)
        self._look_at_flags()
        self._flags = FiniteFlags(on_gpu) if on_gpu else None

    def after_train_epoch(self, runner):
        self._look_at_flags()

    def before_save_checkpoint(self, runner, checkpoint):
        bad = [name for name, value in checkpoint['state_dict'].items()
               if isinstance(value, torch.Tensor) and not torch.isfinite(value).all()]
        if bad:
            raise UserError(
                f'{len(bad)} of the model\'s weights are infinite or NaN (the first: {bad[0]}), so no checkpoint is '
                f'written. {NonFiniteLossError.ADVICE}')

    def _look_at_flags(self):
        flags, self._flags = self._flags, None
        if flags is not None and flags.bad():
            raise NonFiniteLossError(flags.bad())


def _number(value):
    return value.detach().item() if isinstance(value, torch.Tensor) else value


class FiniteFlags:
    """Which losses on a GPU are finite, on their way to the host.

    Args:
        losses: name -> tensor of one element.
    """

    def __init__(self, losses):
        self.names = list(losses)
        finite = torch.stack([value.detach().mean() for value in losses.values()]).isfinite()
        self._finite = finite.to('cpu', non_blocking=True)
        self._copied = torch.cuda.Event(blocking=True)  # the core is the loader's while the host waits
        self._copied.record()

    def bad(self):
        """Names of those that are not; waits until the device has computed them."""
        self._copied.synchronize()
        return [name for name, good in zip(self.names, self._finite.tolist(), strict=True) if not good]
