"""Optimizer wrappers that clip every gradient tensor by its own norm."""
import torch
from mmengine.device import is_cuda_available
from mmengine.logging import print_log
from mmengine.optim import AmpOptimWrapper, OptimWrapper

from mmssl_geo.registry import OPTIM_WRAPPERS
from mmssl_geo.utils.errors import UserError

PRECISIONS = ('float16', 'bfloat16', 'float32')


class PerTensorClipMixin:
    """Clips each parameter's gradient to `clip_grad.max_norm` by itself, not all together (GTSA, DINO, official code).

    `grad_norm` is the norm of all gradients together before the last clipping, a scalar tensor on their device;
    `DeferredInfoHook` logs it.
    """
    grad_norm = None

    def _clip_grad(self):
        grads = [param.grad for group in self.param_groups for param in group['params'] if param.grad is not None]
        if grads:
            self.grad_norm = clip_each_(grads, self.clip_grad_kwargs['max_norm'])


def multiplies_bfloat16():
    """Whether this CPU has instructions for bfloat16; True where torch does not say so."""
    can = torch.cpu.get_capabilities() if hasattr(torch.cpu, 'get_capabilities') else {}
    if can.get('architecture') not in ('x86_64', 'AMD64'):
        return True
    return bool(can.get('avx512_bf16') or can.get('amx_bf16'))


def clip_each_(grads, max_norm):
    """Scales each tensor in place by `min(1, max_norm / (norm + 1e-6))`.

    Returns:
        The norm of all of them together before, a scalar tensor.
    """
    norms = torch._foreach_norm(grads)
    stacked = torch.stack(norms)
    torch._foreach_mul_(grads, list((max_norm / (stacked + 1e-6)).clamp(max=1.).unbind()))
    return torch.linalg.vector_norm(stacked)


@OPTIM_WRAPPERS.register_module()
class PerTensorClipOptimWrapper(PerTensorClipMixin, OptimWrapper):
    """`OptimWrapper` with clipping per tensor; `clip_grad=dict(max_norm=3.0)`."""


@OPTIM_WRAPPERS.register_module(name='AmpOptimWrapper')
class PortableAmpOptimWrapper(AmpOptimWrapper):
    """mmengine's `AmpOptimWrapper` that also runs without an accelerator.

    There `dtype='bfloat16'` is kept where the CPU multiplies in it (AVX512-BF16, AMX: twice as fast and more), and
    float16 becomes float32, as does bfloat16 on an x86 CPU that would have to emulate it. It is said in the log.

    Raises:
        UserError: there is no such precision.
    """

    def __init__(self, dtype='float16', loss_scale='dynamic', **kwargs):
        if dtype is not None and str(dtype).removeprefix('torch.') not in PRECISIONS:
            raise UserError(f'optim_wrapper.dtype must be one of {", ".join(PRECISIONS)}, got {dtype!r}')
        self.on_cpu = not is_cuda_available()
        if not self.on_cpu:
            super().__init__(dtype=dtype, loss_scale=loss_scale, **kwargs)
            return
        OptimWrapper.__init__(self, **kwargs)
        asked = dtype in ('bfloat16', torch.bfloat16)
        self.cast_dtype = torch.bfloat16 if asked and multiplies_bfloat16() else torch.float32
        self.loss_scaler = _disabled_scaler()
        self._scale_update_param = None
        print_log('no GPU: mixed precision with bfloat16 on the CPU' if self.cast_dtype == torch.bfloat16 else
                  'no GPU: mixed precision is off, the run computes in float32', 'current')

    def load_state_dict(self, state_dict):
        """As mmengine's; a checkpoint of a run without a GPU has no loss scale, the scaler then starts anew."""
        if not state_dict.get('loss_scaler', True):
            state_dict.pop('loss_scaler')
        super().load_state_dict(state_dict)

    def optim_context(self, model):
        if self.on_cpu and self.cast_dtype == torch.float32:
            return OptimWrapper.optim_context(self, model)
        return super().optim_context(model)


@OPTIM_WRAPPERS.register_module()
class PerTensorClipAmpOptimWrapper(PerTensorClipMixin, PortableAmpOptimWrapper):
    """`AmpOptimWrapper` of ours with clipping per tensor."""


def _disabled_scaler():
    """A gradient scaler that passes everything through (its place moved in torch 2.3)."""
    if hasattr(torch.amp, 'GradScaler'):
        return torch.amp.GradScaler('cpu', enabled=False)
    return torch.cuda.amp.GradScaler(enabled=False)
