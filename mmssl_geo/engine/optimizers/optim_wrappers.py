"""Optimizer wrappers: clipping per tensor, and mixed precision with or without a GPU."""

from contextlib import AbstractContextManager
from typing import Any

import torch
from mmengine.device import is_cuda_available
from mmengine.logging import print_log
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import Tensor, nn

from mmssl_geo.registry import OPTIM_WRAPPERS
from mmssl_geo.utils.errors import UserError

PRECISIONS = ('float16', 'bfloat16', 'float32')


class PerTensorClipMixin:
    """Clips the gradient of each parameter to the norm `clip_grad.max_norm` (GTSA, DINO, official code).

    After a step `grad_norm` is the norm of all gradients together before clipping, a scalar tensor on their device.
    `DeferredInfoHook` logs it.
    """

    grad_norm: Tensor | None = None
    param_groups: list[dict[str, Any]]
    clip_grad_kwargs: dict[str, Any]

    def _clip_grad(self) -> None:
        grads = [param.grad for group in self.param_groups for param in group['params'] if param.grad is not None]
        if grads:
            self.grad_norm = clip_each_(grads, self.clip_grad_kwargs['max_norm'])


def cpu_supports_bfloat16() -> bool:
    """Returns whether this CPU has instructions for bfloat16; True if torch cannot tell."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, 'get_capabilities') else {}
    if capabilities.get('architecture') not in ('x86_64', 'AMD64'):
        return True
    return bool(capabilities.get('avx512_bf16') or capabilities.get('amx_bf16'))


def clip_each_(grads: list[Tensor], max_norm: float) -> Tensor:
    """Scales each tensor in place by `min(1, max_norm / (norm + 1e-6))`.

    Returns:
        The norm of all of them together before clipping, a scalar tensor.
    """
    norms = torch.stack(torch._foreach_norm(grads))
    torch._foreach_mul_(grads, list((max_norm / (norms + 1e-6)).clamp(max=1.0).unbind()))
    return torch.linalg.vector_norm(norms)


@OPTIM_WRAPPERS.register_module()
class PerTensorClipOptimWrapper(PerTensorClipMixin, OptimWrapper):
    """`OptimWrapper` with clipping per tensor, for example `clip_grad=dict(max_norm=3.0)`."""


@OPTIM_WRAPPERS.register_module(name='AmpOptimWrapper')
class PortableAmpOptimWrapper(AmpOptimWrapper):
    """mmengine's `AmpOptimWrapper` that also runs without an accelerator.

    On a CPU `dtype='bfloat16'` is kept if the CPU has instructions for it (AVX512-BF16, AMX: at least twice as fast).
    float16, and bfloat16 on an x86 CPU that would emulate it, become float32. The precision is logged.

    Args:
        dtype: 'float16', 'bfloat16' or 'float32', or the torch type; None: torch's default.
        loss_scale: As in mmengine.
        **kwargs: Arguments of `OptimWrapper`.

    Raises:
        UserError: If `dtype` is another one.
    """

    def __init__(
        self,
        dtype: str | torch.dtype | None = 'float16',
        loss_scale: float | str | dict[str, Any] = 'dynamic',
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        if dtype is not None and str(dtype).removeprefix('torch.') not in PRECISIONS:
            raise UserError(f'optim_wrapper.dtype must be one of {", ".join(PRECISIONS)}, got {dtype!r}')
        self.on_cpu = not is_cuda_available()
        if not self.on_cpu:
            super().__init__(dtype=dtype, loss_scale=loss_scale, **kwargs)
            return
        OptimWrapper.__init__(self, **kwargs)
        use_bfloat16 = dtype in ('bfloat16', torch.bfloat16) and cpu_supports_bfloat16()
        self.cast_dtype = torch.bfloat16 if use_bfloat16 else torch.float32
        self.loss_scaler = grad_scaler('cpu', enabled=False)
        self._scale_update_param = None
        print_log(
            'no GPU: mixed precision with bfloat16 on the CPU'
            if use_bfloat16
            else 'no GPU: mixed precision is off, the run computes in float32',
            'current',
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Loads a state as mmengine does; without a loss scale, as in checkpoints of CPU runs, the scaler is reset."""
        if not state_dict.get('loss_scaler', True):
            state_dict.pop('loss_scaler')
        super().load_state_dict(state_dict)

    def optim_context(self, model: nn.Module) -> AbstractContextManager[None]:
        if self.on_cpu and self.cast_dtype == torch.float32:
            return OptimWrapper.optim_context(self, model)
        return super().optim_context(model)


@OPTIM_WRAPPERS.register_module()
class PerTensorClipAmpOptimWrapper(PerTensorClipMixin, PortableAmpOptimWrapper):
    """`PortableAmpOptimWrapper` with clipping per tensor."""


def grad_scaler(device: str, enabled: bool) -> 'torch.amp.GradScaler':
    """Creates a gradient scaler, under every version of torch."""
    if hasattr(torch.amp, 'GradScaler'):  # since torch 2.3
        return torch.amp.GradScaler(device, enabled=enabled)
    return torch.cuda.amp.GradScaler(enabled=enabled)
