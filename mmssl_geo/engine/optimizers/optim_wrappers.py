"""Optimizer wrappers that clip every gradient tensor by its own norm."""
import math

import torch
from mmengine.device import is_cuda_available
from mmengine.logging import print_log
from mmengine.optim import AmpOptimWrapper, OptimWrapper

from mmssl_geo.registry import OPTIM_WRAPPERS


class PerTensorClipMixin:
    """Clips each parameter's gradient to `clip_grad.max_norm` by itself, not all together (GTSA, DINO, official code).

    `train/grad_norm` is the norm of all gradients together before clipping.
    """

    def _clip_grad(self):
        grads = [param.grad for group in self.param_groups for param in group['params'] if param.grad is not None]
        if grads:
            total = float(clip_each_(grads, self.clip_grad_kwargs['max_norm']))
            if math.isfinite(total):  # not so in a step that the loss scaler skips
                self.message_hub.update_scalar(f'train/{self.grad_name}', total)


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


@OPTIM_WRAPPERS.register_module()
class PerTensorClipAmpOptimWrapper(PerTensorClipMixin, AmpOptimWrapper):
    """`AmpOptimWrapper` with clipping per tensor; without an accelerator it computes in float32 and says so."""

    def __init__(self, dtype='float16', loss_scale='dynamic', **kwargs):
        self.amp_enabled = is_cuda_available()
        if self.amp_enabled:
            super().__init__(dtype=dtype, loss_scale=loss_scale, **kwargs)
        else:
            print_log('no GPU: mixed precision is off, the run computes in float32', 'current')
            OptimWrapper.__init__(self, **kwargs)
            self.loss_scaler = _disabled_scaler()
            self._scale_update_param = None

    def load_state_dict(self, state_dict):
        """As mmengine's; a checkpoint of a run without a GPU has no loss scale, the scaler then starts anew."""
        if not state_dict.get('loss_scaler', True):
            state_dict.pop('loss_scaler')
        super().load_state_dict(state_dict)

    def optim_context(self, model):
        return super().optim_context(model) if self.amp_enabled else OptimWrapper.optim_context(self, model)


def _disabled_scaler():
    """A gradient scaler that passes everything through (its place moved in torch 2.3)."""
    if hasattr(torch.amp, 'GradScaler'):
        return torch.amp.GradScaler('cpu', enabled=False)
    return torch.cuda.amp.GradScaler(enabled=False)
