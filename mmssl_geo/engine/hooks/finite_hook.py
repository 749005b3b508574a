"""Stops a run with non-finite losses or weights before they reach a checkpoint."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmssl_geo.registry import HOOKS
from mmssl_geo.utils.errors import NonFiniteLossError, UserError


@HOOKS.register_module()
class FiniteHook(Hook):
    """Never saves non-finite weights, in pretraining and in fine-tuning.

    Losses on a GPU are checked one iteration later, when they have been computed, so that the host does not wait for
    them. Weights that such a loss has made non-finite in the meantime are not saved.

    Raises:
        NonFiniteLossError: In `after_train_iter`, if a loss of this iteration (on a GPU: of the previous one) is
            infinite or NaN; in `after_train_epoch`, if a loss of the last iteration is.
        UserError: In `before_save_checkpoint`, if a weight is; nothing is written then.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._flags: FiniteFlags | None = None

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        losses = {name: value for name, value in (outputs or {}).items() if 'loss' in name}
        on_gpu = {name: value for name, value in losses.items() if isinstance(value, Tensor) and value.is_cuda}
        non_finite = [
            name for name, value in losses.items() if name not in on_gpu and not math.isfinite(_to_number(value))
        ]
        if non_finite:
            raise NonFiniteLossError(non_finite)
        self._check_flags()
        self._flags = FiniteFlags(on_gpu) if on_gpu else None

    def after_train_epoch(self, runner: Runner) -> None:
        self._check_flags()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        non_finite = [
            name
            for name, value in checkpoint['state_dict'].items()
            if isinstance(value, Tensor) and not torch.isfinite(value).all()
        ]
        if non_finite:
            raise UserError(
                f"{len(non_finite)} of the model's weights are infinite or NaN (the first: {non_finite[0]}), so no "
                f'checkpoint is written. {NonFiniteLossError.ADVICE}'
            )

    def _check_flags(self) -> None:
        flags, self._flags = self._flags, None
        if flags is not None and flags.non_finite():
            raise NonFiniteLossError(flags.non_finite())


def _to_number(value: Tensor | float) -> float:
    return value.detach().item() if isinstance(value, Tensor) else value


class FiniteFlags:
    """Flags that say which losses on a GPU are finite, copied to the host asynchronously.

    Args:
        losses: Tensors of one element by name.
    """

    def __init__(self, losses: Mapping[str, Tensor]) -> None:
        self.names = list(losses)
        finite = torch.stack([value.detach().mean() for value in losses.values()]).isfinite()
        self._finite = finite.to('cpu', non_blocking=True)
        self._copied = torch.cuda.Event(blocking=True)  # while it waits, the host leaves the core to the data loader
        self._copied.record()

    def non_finite(self) -> list[str]:
        """Returns the names of the non-finite losses; waits until the device has computed them."""
        self._copied.synchronize()
        return [name for name, is_finite in zip(self.names, self._finite.tolist(), strict=True) if not is_finite]
