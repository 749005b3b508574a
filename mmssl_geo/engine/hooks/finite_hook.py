"""Stops a run whose loss or weights are no longer finite, before a checkpoint of it is written."""
import math

import torch
from mmengine.hooks import Hook

from mmssl_geo.errors import NonFiniteLossError, UserError
from mmssl_geo.registry import HOOKS


@HOOKS.register_module()
class FiniteHook(Hook):
    """Keeps spoilt weights out of checkpoints; for pretraining and for fine-tuning (our choice).

    Raises:
        NonFiniteLossError: in `after_train_iter`, if a loss of this iteration is infinite or NaN.
        UserError: in `before_save_checkpoint`, if a weight is; nothing is written then.
    """
    priority = 'VERY_HIGH'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        bad = [name for name, value in (outputs or {}).items() if 'loss' in name and not math.isfinite(_number(value))]
        if bad:
            raise NonFiniteLossError(bad)

    def before_save_checkpoint(self, runner, checkpoint):
        bad = [name for name, value in checkpoint['state_dict'].items()
               if isinstance(value, torch.Tensor) and not torch.isfinite(value).all()]
        if bad:
            raise UserError(
                f'{len(bad)} of the model\'s weights are infinite or NaN (the first: {bad[0]}), so no checkpoint is '
                f'written. {NonFiniteLossError.ADVICE}')


def _number(value):
    return value.item() if isinstance(value, torch.Tensor) else value
