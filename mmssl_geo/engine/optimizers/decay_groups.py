"""Two parameter groups: with weight decay and without."""
from mmengine.registry import OPTIMIZERS

from mmssl_geo.engine.runner_state import unwrap_model
from mmssl_geo.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS

FUSED = ('Adam', 'AdamW', 'SGD')  # torch's optimizers that have a fused kernel
KERNELS = ('fused', 'foreach', 'capturable')  # settings of groups that belong to the machine


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class DecayGroupsConstructor:
    """Weight decay on everything but biases and 1-D parameters (GTSA and DINO, official code).

    Position embedding and [CLS] have more than one dimension and are decayed. Two groups, not one per parameter,
    keep the optimizer's fused and multi-tensor paths fast. Each group says in `decayed` which one it is, and in
    `lars_exclude` whether mmpretrain's LARS leaves its learning rate as it is (BYOL; SoCo's code): the same rule.

    Args:
        optim_wrapper_cfg: config of the wrapper with `optimizer` inside.
        paramwise_cfg: must be None; the rule is fixed.

    Raises:
        ValueError: if `paramwise_cfg` is given.
    """

    def __init__(self, optim_wrapper_cfg, paramwise_cfg=None):
        if paramwise_cfg:
            raise ValueError('DecayGroupsConstructor takes no paramwise_cfg')
        self.optim_wrapper_cfg = dict(optim_wrapper_cfg)

    def __call__(self, model):
        named = [(name, param) for name, param in unwrap_model(model).named_parameters() if param.requires_grad]
        plain = {name for name, param in named if param.ndim == 1 or name.endswith('.bias')}
        groups = [
            dict(params=[param for name, param in named if name not in plain], decayed=True, lars_exclude=False),
            dict(params=[param for name, param in named if name in plain], decayed=False, lars_exclude=True,
                 weight_decay=0.)]
        wrapper = dict(self.optim_wrapper_cfg)
        optimizer = OPTIMIZERS.build({**fused_on_gpu(wrapper.pop('optimizer'), named), 'params': groups})
        optimizer.register_load_state_dict_pre_hook(keep_kernels)
        wrapper.setdefault('type', 'OptimWrapper')
        return OPTIM_WRAPPERS.build(wrapper, default_args=dict(optimizer=optimizer))


def fused_on_gpu(optimizer_cfg, named_params):
    """The optimizer's config, with `fused=True` where torch has such a kernel, unless the config decides itself.

    It is one pass over the weights, and with a loss scaler the only way that does not wait for the device.
    """
    on_gpu = all(param.is_cuda for _, param in named_params)
    if on_gpu and optimizer_cfg['type'] in FUSED and 'foreach' not in optimizer_cfg:
        return {'fused': True, **optimizer_cfg}
    return optimizer_cfg


def keep_kernels(optimizer, state_dict):
    """The state that is loaded, with this run's choice of kernels: `load_state_dict` takes the saved groups whole.

    Without it a checkpoint of a CPU would undo `fused=True` on a GPU, and a loss scaler then fails at the first step.
    """
    if len(state_dict['param_groups']) != len(optimizer.param_groups):
        return state_dict  # of another model: torch says so
    return {**state_dict, 'param_groups': [
        {**saved, **{key: own[key] for key in KERNELS if key in own}}
        for saved, own in zip(state_dict['param_groups'], optimizer.param_groups, strict=True)]}
