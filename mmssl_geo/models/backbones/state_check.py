"""Does a checkpoint fit a model? Says which keys do not, where mmengine's loader would only log it."""
import torch
from mmengine.model import PretrainedInit

from mmssl_geo.checkpoints import read_checkpoint
from mmssl_geo.utils.errors import UserError

SHOWN = 10
BACKBONE = 'backbone.'
INIT_CFG_KEYS = {'type', 'checkpoint', 'prefix', 'allow_code'}


def check_init_cfg(init_cfg):
    """Refuses an `init_cfg` that strict loading cannot keep its word on.

    Raises:
        UserError: unless it is None or `dict(type='Pretrained', checkpoint=..., prefix=..., allow_code=...)`.
    """
    if init_cfg is not None and not (
            isinstance(init_cfg, dict) and init_cfg.get('type') in ('Pretrained', PretrainedInit)
            and set(init_cfg) <= INIT_CFG_KEYS):
        raise UserError(
            "backbone.init_cfg: only None or dict(type='Pretrained', checkpoint=..., prefix=...) will do "
            f'(the initialisation is the method\'s), got {init_cfg}')


def read_backbone(init_cfg):
    """Weights of the backbone in the file that `init_cfg` names, and how many tensors of other parts it holds.

    Raises:
        UserError: the file is missing, unsafe or no checkpoint.
    """
    checkpoint = read_checkpoint(init_cfg['checkpoint'], allow_code=init_cfg.get('allow_code', False))
    return backbone_weights(stored_weights(checkpoint), init_cfg.get('prefix'))


def stored_weights(checkpoint):
    """Weights of a checkpoint: its `state_dict` entry, or itself if it has none; `module.` of DDP is stripped."""
    state = checkpoint.get('state_dict', checkpoint)
    return {key.removeprefix('module.'): value for key, value in state.items() if isinstance(value, torch.Tensor)}


def backbone_weights(state, prefix=None):
    """Weights of the backbone without their prefix, and how many others the file holds.

    Args:
        state: name -> tensor.
        prefix: what the backbone's names start with. None: `backbone.` if any name starts so, else nothing.

    Returns:
        tuple: dict name -> tensor, number of tensors left aside.
    """
    if prefix is None:
        prefix = BACKBONE if any(key.startswith(BACKBONE) for key in state) else ''
    elif prefix and not prefix.endswith('.'):
        prefix += '.'
    chosen = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    return chosen, len(state) - len(chosen)


def check_weights(expected, found, source, what, advice, allow_unexpected=False):
    """Raises unless every tensor that the model has is there, of the same shape and finite.

    Args:
        expected: name -> tensor of the model.
        found: name -> tensor of the file.
        source: path of the file, for the message.
        what: what the weights are for, for the message ('backbone').
        advice: what to do about it, for the message.
        allow_unexpected: whether the file may hold more than the model.

    Raises:
        UserError: names the keys that are missing, unexpected, of another shape or not finite.
    """
    missing = [key for key in expected if key not in found]
    unexpected = [] if allow_unexpected else [key for key in found if key not in expected]
    common = [key for key in expected if key in found]
    misfits = [f'{key} (file {tuple(found[key].shape)}, model {tuple(expected[key].shape)})'
               for key in common if found[key].shape != expected[key].shape]
    broken = [key for key in common if not torch.isfinite(found[key]).all()]
    faults = [_listed(missing, f'of {len(expected)} are missing'), _listed(unexpected, 'are unexpected'),
              _listed(misfits, 'have another shape'), _listed(broken, 'hold NaN or infinite values')]
    faults = [fault for fault in faults if fault]
    if faults:
        raise UserError(f'checkpoint {source} does not fit the {what}: of its tensors {"; ".join(faults)}. {advice}')


def _listed(keys, fault):
    if not keys:
        return ''
    more = f', and {len(keys) - SHOWN} more' if len(keys) > SHOWN else ''
    return f'{len(keys)} {fault}: {", ".join(keys[:SHOWN])}{more}'
