"""The shipped config's model at the widths of an official checkpoint, with its weights."""
import re
from copy import deepcopy

from mmengine.registry import DefaultScope

from mmssl_geo.checkpoints.vit import vit_keys
from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError

from .reference import CHECKPOINT, number

_PREFIXES = {
    'backbone.': 'base_encoder.', 'neck.': 'base_projector.', 'teacher.backbone.': 'momentum_encoder.',
    'teacher.neck.': 'momentum_projector.', 'head.predictor.': 'base_predictor.',
    'head.rotation_head.mlp.': 'rot_predictor.'}


def build_model(cfg, reference, **parts):
    """The registered model, loaded strictly; float32.

    Args:
        cfg: the shipped config; it is left as it is.
        reference: `Reference`.
        **parts: further settings by part of the model, such as `backbone=dict(drop_path_rate=0.)`.

    Returns:
        tuple: (model, our name -> official name).

    Raises:
        UserError: names the weights that are missing, unknown or do not fit.
    """
    model_cfg = deepcopy(cfg.model)
    _set_widths(model_cfg, reference)
    for part, settings in parts.items():
        model_cfg[part].update(settings)
    with DefaultScope.overwrite_default_scope('mmssl_geo'):
        model = MODELS.build(model_cfg)
    called = official_names(model)
    _load(model, reference.weights, called)
    return model, called


def net_size(weights):
    """Width and number of blocks of the official student.

    Raises:
        UserError: names the weight that is missing or has other dimensions.
    """
    # counted: a number with a gap before it would ask for blocks that nobody has stored
    depth = len({found[1] for name in weights if (found := re.match(r'base_encoder\.blocks\.(\d+)\.', name))})
    return _size(weights, 'base_encoder.cls_token', -1, 3), depth


def official_names(model):
    """Our name -> official name of every parameter."""
    depth = len(model.backbone.layers)
    vit = dict(zip(vit_keys('mmpretrain', depth), vit_keys('timm', depth), strict=True))
    called = {}
    for name, _ in model.named_parameters():
        prefix = next(prefix for prefix in sorted(_PREFIXES, key=len, reverse=True) if name.startswith(prefix))
        own = name.removeprefix(prefix)
        called[name] = _PREFIXES[prefix] + (vit[own] if prefix.endswith('backbone.') else own.replace('.conv.', '.0.'))
    return called


def _set_widths(model_cfg, reference):
    """Writes what the checkpoint's shapes and the stored head count say into the config."""
    weights = reference.weights

    def rows(name, ndim):
        return _size(weights, name, 0, ndim)

    patch_size, num_heads = number(reference.tiny_model, 'patch_size'), number(reference.tiny_model, 'num_heads')
    grid = max(1, round((_size(weights, 'base_encoder.pos_embed', 1, 3) - 1)**0.5))
    width, depth = net_size(weights)
    if width % num_heads:
        raise UserError(f'tiny_model.npz: {num_heads} heads do not divide the width {width} of {CHECKPOINT}')
    model_cfg.backbone.pop('arch')
    model_cfg.backbone.update(
        arch=dict(
            embed_dims=width, num_layers=depth, num_heads=num_heads,
            feedforward_channels=rows('base_encoder.blocks.0.mlp.fc1.weight', 2)),
        img_size=grid * patch_size, patch_size=patch_size)
    for part, official in ((model_cfg.neck, 'base_projector'), (model_cfg.head.predictor, 'base_predictor')):
        part.update(hidden_channels=rows(f'{official}.blocks.0.0.weight', 4),
                    out_channels=rows(f'{official}.proj.weight', 4))
    model_cfg.head.rotation_head.hidden_channels = [rows(f'rot_predictor.{layer}.weight', 2) for layer in (0, 3, 6)]


def _size(weights, name, axis, ndim):
    shape = _shape(weights, name)
    if len(shape) != ndim:
        raise UserError(f'{CHECKPOINT}: {name} has the shape {shape}, {ndim} dimensions are due')
    return shape[axis]


def _shape(weights, name):
    if name not in weights:
        raise UserError(f'{CHECKPOINT} has no weight {name}')
    return tuple(weights[name].shape)


def _load(model, weights, called):
    """Loads strictly; messages have the official names."""
    ours = model.state_dict()
    for name, official in called.items():
        if _shape(weights, official) != tuple(ours[name].shape):
            raise UserError(f'{CHECKPOINT}: {official} has the shape {_shape(weights, official)}, which does not fit '
                            f'the other weights and tiny_model.npz; {tuple(ours[name].shape)} is due')
    unknown = sorted(set(weights) - set(called.values()))
    if unknown:
        raise UserError(f'{CHECKPOINT} has {len(unknown)} weights that the model lacks, the first is {unknown[0]}')
    model.load_state_dict({name: weights[official] for name, official in called.items()}, strict=True)
