"""Parameter groups with and without weight decay."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIMIZERS
from torch import nn
from torch.optim import Optimizer

from mmssl_geo.engine.runner_values import unwrap_model
from mmssl_geo.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS

OPTIMIZERS_WITH_FUSED_KERNEL = ('Adam', 'AdamW', 'SGD')
KERNEL_OPTIONS = ('fused', 'foreach', 'capturable')
"""Options of parameter groups that depend on the machine."""


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class DecayGroupsConstructor:
    """Builds an optimizer that decays all parameters except biases and 1-D parameters (GTSA and DINO, official code).

    Position embedding and [CLS] token have more than one dimension and are decayed. Two groups, not one per parameter,
    keep the optimizer's fused and multi-tensor kernels fast. Each group has the keys `decayed` and `lars_exclude`,
    which makes mmpretrain's LARS use the plain learning rate (BYOL; SoCo's code). Without `lr` in the optimizer's
    config the learning rate is 0 until `ScheduleHook` sets it.

    Args:
        optim_wrapper_cfg: Config of the wrapper, including `optimizer`.
        paramwise_cfg: Must be None; the rule is fixed.

    Raises:
        ValueError: If `paramwise_cfg` is given.
    """

    def __init__(self, optim_wrapper_cfg: Mapping[str, Any], paramwise_cfg: Mapping[str, Any] | None = None) -> None:
        if paramwise_cfg:
            raise ValueError('DecayGroupsConstructor takes no paramwise_cfg')
        self.optim_wrapper_cfg = dict(optim_wrapper_cfg)

    def __call__(self, model: nn.Module) -> OptimWrapper:
        params = {name: param for name, param in unwrap_model(model).named_parameters() if param.requires_grad}
        undecayed = {name for name, param in params.items() if param.ndim == 1 or name.endswith('.bias')}
        groups = [
            dict(
                params=[param for name, param in params.items() if name not in undecayed],
                decayed=True,
                lars_exclude=False,
            ),
            dict(
                params=[param for name, param in params.items() if name in undecayed],
                decayed=False,
                lars_exclude=True,
                weight_decay=0.0,
            ),
        ]
        wrapper_cfg = dict(self.optim_wrapper_cfg)
        optimizer_cfg = with_fused_kernel(wrapper_cfg.pop('optimizer'), list(params.values()))
        optimizer = OPTIMIZERS.build({'lr': 0.0, **optimizer_cfg, 'params': groups})
        optimizer.register_load_state_dict_pre_hook(keep_kernel_options)
        wrapper_cfg.setdefault('type', 'OptimWrapper')
        return OPTIM_WRAPPERS.build(wrapper_cfg, default_args=dict(optimizer=optimizer))


def with_fused_kernel(optimizer_cfg: dict[str, Any], params: Sequence[nn.Parameter]) -> dict[str, Any]:
    """Adds `fused=True` to an optimizer's config if torch has such a kernel, unless the config sets it or `foreach`.

    The fused kernel makes one pass over the weights, and is the only one that works with a loss scaler without a device
    synchronisation.
    """
    on_gpu = all(param.is_cuda for param in params)
    if on_gpu and optimizer_cfg['type'] in OPTIMIZERS_WITH_FUSED_KERNEL and 'foreach' not in optimizer_cfg:
        return {'fused': True, **optimizer_cfg}
    return optimizer_cfg


def keep_kernel_options(optimizer: Optimizer, state_dict: dict[str, Any]) -> dict[str, Any]:
    """Replaces the kernel options of a loaded state by those of the optimizer.

    `load_state_dict` takes over the saved groups. A checkpoint of a CPU run would undo `fused=True` on a GPU, and a
    loss scaler would then fail at the first step.
    """
    if len(state_dict['param_groups']) != len(optimizer.param_groups):
        return state_dict  # of another model; torch raises the error
    groups = [
        {**saved, **{key: group[key] for key in KERNEL_OPTIONS if key in group}}
        for saved, group in zip(state_dict['param_groups'], optimizer.param_groups, strict=True)
    ]
    return {**state_dict, 'param_groups': groups}
