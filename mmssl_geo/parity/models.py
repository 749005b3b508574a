"""The model and the optimizer wrapper of the shipped config, at the widths of the official checkpoint."""

import re
from copy import deepcopy
from typing import Any

from mmengine.config import Config
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from mmssl_geo.checkpoints.vit import vit_keys
from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError

from .reference import CHECKPOINT, Reference, integer

_OFFICIAL_PREFIXES = {
    'backbone.': 'base_encoder.',
    'neck.': 'base_projector.',
    'teacher.backbone.': 'momentum_encoder.',
    'teacher.neck.': 'momentum_projector.',
    'head.predictor.': 'base_predictor.',
    'head.rotation_head.mlp.': 'rot_predictor.',
}


def build_model(cfg: Config, reference: Reference, **parts: dict[str, Any]) -> tuple[Any, dict[str, str]]:
    """Builds the registered model with the official weights, loaded strictly, in float32.

    Args:
        cfg: The shipped config, which is not changed.
        reference: The reference set.
        **parts: Further settings by part of the model, such as `backbone=dict(drop_path_rate=0.)`.

    Returns:
        The model, and the official name of every parameter.

    Raises:
        UserError: Names the weights that are missing, unknown or of another shape.
    """
    model_cfg = deepcopy(cfg.model)
    _set_widths(model_cfg, reference)
    for part, settings in parts.items():
        model_cfg[part].update(settings)
    with DefaultScope.overwrite_default_scope('mmssl_geo'):
        model = MODELS.build(model_cfg)
    names = _official_names(model)
    _load_weights(model, reference.weights, names)
    return model, names


def build_wrapper(cfg: Config, model: nn.Module, max_norm: float) -> OptimWrapper:
    """Builds the config's optimizer wrapper for a model: constructor, optimizer and gradient clipping.

    Without mixed precision, since the comparison runs in float64; the clipping is the same code with and without it.

    Args:
        cfg: The shipped config.
        model: The model to optimise.
        max_norm: Largest norm of a gradient.
    """
    settings = {**cfg.optim_wrapper, 'type': cfg.optim_wrapper.type.replace('Amp', '')}
    settings.pop('dtype', None)
    settings['clip_grad'] = {**settings['clip_grad'], 'max_norm': max_norm}
    return build_optim_wrapper(model, settings)


def student_size(weights: dict[str, Tensor]) -> tuple[int, int]:
    """Returns the width and the number of blocks of the official student.

    Raises:
        UserError: Names the weight that is missing or has another number of dimensions.
    """
    # Blocks are counted: the highest index would include missing blocks.
    matches = (re.match(r'base_encoder\.blocks\.(\d+)\.', name) for name in weights)
    depth = len({match[1] for match in matches if match})
    return _size(weights, 'base_encoder.cls_token', -1, 3), depth


def _official_names(model: Any) -> dict[str, str]:  # noqa: ANN401  (a registered model)
    depth = len(model.backbone.layers)
    vit_names = dict(zip(vit_keys('mmpretrain', depth), vit_keys('timm', depth), strict=True))
    names = {}
    for name, _ in model.named_parameters():
        prefix = next(prefix for prefix in sorted(_OFFICIAL_PREFIXES, key=len, reverse=True) if name.startswith(prefix))
        key = name.removeprefix(prefix)
        official_key = vit_names[key] if prefix.endswith('backbone.') else key.replace('.conv.', '.0.')
        names[name] = _OFFICIAL_PREFIXES[prefix] + official_key
    return names


def _set_widths(model_cfg: Any, reference: Reference) -> None:  # noqa: ANN401  (a config)
    """Sets all sizes in the config to those of the checkpoint and the stored number of heads."""
    weights = reference.weights

    def rows(name: str, ndim: int) -> int:
        return _size(weights, name, 0, ndim)

    patch_size, num_heads = integer(reference.tiny_model, 'patch_size'), integer(reference.tiny_model, 'num_heads')
    grid_size = max(1, round((_size(weights, 'base_encoder.pos_embed', 1, 3) - 1) ** 0.5))
    width, depth = student_size(weights)
    if width % num_heads:
        raise UserError(f'tiny_model.npz: the width {width} of {CHECKPOINT} is not a multiple of {num_heads} heads')
    model_cfg.backbone.pop('arch')
    model_cfg.backbone.update(
        arch=dict(
            embed_dims=width,
            num_layers=depth,
            num_heads=num_heads,
            feedforward_channels=rows('base_encoder.blocks.0.mlp.fc1.weight', 2),
        ),
        img_size=grid_size * patch_size,
        patch_size=patch_size,
    )
    for part, official in ((model_cfg.neck, 'base_projector'), (model_cfg.head.predictor, 'base_predictor')):
        part.update(
            hidden_channels=rows(f'{official}.blocks.0.0.weight', 4), out_channels=rows(f'{official}.proj.weight', 4)
        )
    model_cfg.head.rotation_head.hidden_channels = [rows(f'rot_predictor.{layer}.weight', 2) for layer in (0, 3, 6)]


def _size(weights: dict[str, Tensor], name: str, axis: int, ndim: int) -> int:
    shape = _shape(weights, name)
    if len(shape) != ndim:
        raise UserError(f'{CHECKPOINT}: {name} has shape {shape}, expected {ndim} dimensions')
    return shape[axis]


def _shape(weights: dict[str, Tensor], name: str) -> tuple[int, ...]:
    if name not in weights:
        raise UserError(f'{CHECKPOINT} has no weight {name}')
    return tuple(weights[name].shape)


def _load_weights(model: nn.Module, weights: dict[str, Tensor], names: dict[str, str]) -> None:
    """Loads the weights strictly; messages have the official names."""
    state_dict = model.state_dict()
    for name, official in names.items():
        if _shape(weights, official) != tuple(state_dict[name].shape):
            raise UserError(
                f'{CHECKPOINT}: {official} has shape {_shape(weights, official)}, but the other weights and '
                f'tiny_model.npz need {tuple(state_dict[name].shape)}'
            )
    unknown = sorted(set(weights) - set(names.values()))
    if unknown:
        raise UserError(
            f'{CHECKPOINT} has {len(unknown)} weights that the model does not have; the first is {unknown[0]}'
        )
    model.load_state_dict({name: weights[official] for name, official in names.items()}, strict=True)
