"""Pretrained backbones from a checkpoint, or by the name of a network or config."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import DefaultScope
from torch import nn

from mmssl_geo.checkpoints import load_source
from mmssl_geo.checkpoints.architecture import ArchSpec, NumHeadsError
from mmssl_geo.checkpoints.encoder import Source
from mmssl_geo.checkpoints.vit import ViTSpec
from mmssl_geo.evaluation.random_weights import randomly_initialised
from mmssl_geo.models.backbones.base import arch_of
from mmssl_geo.models.backbones.strict_init import check_weights
from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.paths import resource_root

from .config import load_config
from .config_errors import explain_config_errors

CONFIG_SUFFIXES = ('.py', '.json', '.yaml', '.yml')
CHECKPOINT_SUFFIXES = ('.pth', '.pt', '.safetensors')
NETS: dict[str, dict[str, Any]] = {
    'vitt16': dict(type='mmssl_geo.SSLVisionTransformer', arch='deit-tiny', patch_size=16),
    'vits16': dict(type='mmssl_geo.SSLVisionTransformer', arch='deit-small', patch_size=16),
    'vitb16': dict(type='mmssl_geo.SSLVisionTransformer', arch='deit-base', patch_size=16),
    'r18': dict(type='mmssl_geo.SSLResNet', depth=18),
    'r50': dict(type='mmssl_geo.SSLResNet', depth=50),
}


def get_model(
    name_or_file: str | Path,
    checkpoint: str | Path | None = None,
    out_indices: int | Sequence[int] | None = None,
    weights: str = 'teacher',
    allow_code: bool = False,
) -> nn.Module:
    """Builds a backbone in evaluation mode, float32, on the CPU.

        net = get_model('work_dirs/gtsa/epoch_100.pth')
        maps, = net(images)

    The network takes images of shape (B, 3, H, W), normalised by the mean and standard deviation of ImageNet, and
    returns a tuple of maps, shape (B, C, h, w), one per out index. Images of any size are accepted: sides that are not
    a multiple of the patch size are padded with zeros at the right and at the bottom. The position embedding is that of
    the checkpoint, resized to the image.

    Args:
        name_or_file: A checkpoint, from which the network is read; or the name of a network ('vitt16', 'vits16',
            'vitb16', 'r18', 'r50'), the name of a config in `configs/`, or the path of a config with a
            `model.backbone`, whose `init_cfg` is ignored.
        checkpoint: Weights for a network that is given by name, of any layout that the converter supports, loaded
            strictly. None: random weights, the same every time.
        out_indices: Blocks of a ViT or stages (0 to 3) of a ResNet that return maps, in ascending order. None: as in
            the config, or the last one.
        weights: 'teacher' or 'student', for checkpoints that hold both.
        allow_code: Whether the checkpoint may run code while it loads: only for a file you trust.

    Raises:
        UserError: If there is no such name or file, the config cannot be used, the checkpoint is unsafe or unknown, or
            its weights do not fit.
    """
    if checkpoint is None and _is_checkpoint(name_or_file):
        checkpoint, name = name_or_file, str(name_or_file)
        source = _load_source(checkpoint, weights, allow_code)
        cfg, scope = _config_of(source.spec), 'mmssl_geo'
    else:
        cfg, scope = _backbone_config(name_or_file)
        name, source = str(name_or_file), None
    cfg = dict(cfg, init_cfg=None)
    if out_indices is not None:
        cfg['out_indices'] = [out_indices] if isinstance(out_indices, int) else list(out_indices)
    net = _build(cfg, scope, name)
    _check_out_indices(net)
    if checkpoint is None:
        net = randomly_initialised(net)
    else:
        source = source or _load_source(checkpoint, weights, allow_code, net, name)
        net = _load_weights(net, cfg, scope, name, source)
    net.register_forward_pre_hook(_check_images)
    net.eval()  # returns None for mmpretrain's backbones
    return net


def spec_differences(net: nn.Module, spec: ArchSpec) -> str:
    """Lists what a network has and the network of a checkpoint has not, such as 'depth=50'; '' if both fit."""
    return ', '.join(
        f'{key}={value}' for key, value in arch_of(net).items() if key != 'num_heads' and spec.meta.get(key) != value
    )


def _is_checkpoint(name_or_file: str | Path) -> bool:
    path = Path(name_or_file) if isinstance(name_or_file, str | Path) else Path()
    return path.is_file() and path.suffix not in CONFIG_SUFFIXES


def _config_of(spec: ArchSpec) -> dict[str, Any]:
    """Returns the config of the network that a spec describes."""
    if isinstance(spec, ViTSpec):
        arch = dict(
            embed_dims=spec.embed_dims,
            num_layers=spec.num_layers,
            num_heads=spec.num_heads,
            feedforward_channels=spec.hidden_dims,
        )
        return dict(
            type='mmssl_geo.SSLVisionTransformer',
            arch=arch,
            img_size=spec.img_size,
            patch_size=spec.patch_size,
            in_channels=spec.in_channels,
            final_norm=spec.has_final_norm,
        )
    return dict(type='mmssl_geo.SSLResNet', **spec.meta)


def _backbone_config(name_or_path: str | Path) -> tuple[dict[str, Any], str]:
    """Returns the config of a backbone, and the scope in which its type is looked up."""
    if not isinstance(name_or_path, str | Path):
        raise UserError(
            f'get_model takes a checkpoint, or the name of a network or config, got a {type(name_or_path).__name__}'
        )
    name = str(name_or_path)
    if name in NETS:
        return NETS[name], 'mmssl_geo'
    path = Path(name)
    if _is_checkpoint(path):
        raise UserError(f'{name} is not a config: give the network or its config first, then the checkpoint')
    if path.suffix in CHECKPOINT_SUFFIXES:
        raise UserError(f'checkpoint {name}: no such file')
    if not path.is_file() and (path.suffix != '.py' or path.parent == Path()):
        path = _shipped_config(path.stem if path.suffix == '.py' else name)
    cfg = load_config(path, use_environment=False)
    backbone = cfg.get('model', {}).get('backbone')
    if not backbone:
        raise UserError(f'config {path} has no model.backbone: give a config for pretraining or a downstream task')
    return backbone, cfg.get('default_scope', 'mmssl_geo')


def _shipped_config(name: str) -> Path:
    paths = [path for path in sorted((resource_root() / 'configs').rglob('*.py')) if '_base_' not in path.parts]
    found = [path for path in paths if path.stem == name]
    if not found:
        near = difflib.get_close_matches(name, [*NETS, *(path.stem for path in paths)], n=3)
        raise UserError(
            f'there is no network or config {name}: give one of {", ".join(NETS)}, a config in configs/'
            + (f' ({", ".join(near)}?)' if near else '')
            + ', or the path of a config or checkpoint'
        )
    return found[0]


def _build(cfg: Mapping[str, Any], scope: str, name: str) -> nn.Module:
    with DefaultScope.overwrite_default_scope(scope), explain_config_errors(cfg, 'cannot be built', name):
        net = MODELS.build(dict(cfg))
    if hasattr(net, 'out_type'):  # only vision transformers have it
        net.out_type = 'featmap'
    return net


def _load_source(
    checkpoint: str | Path, weights: str, allow_code: bool, net: nn.Module | None = None, name: str = ''
) -> Source:
    """Reads a checkpoint; `net` gives the number of attention heads."""
    num_heads = None if net is None else arch_of(net).get('num_heads')
    try:
        return load_source(checkpoint, weights, num_heads, allow_code=allow_code)
    except NumHeadsError as error:
        if net is None:
            hint = "give the name of the network too, as in get_model('vits16', checkpoint)"
        else:
            hint = f'{name} is ' + ('not a ViT' if num_heads is None else f'a ViT of {num_heads} heads')
        raise UserError(f'{error} ({hint})') from error


def _load_weights(net: Any, cfg: Mapping[str, Any], scope: str, name: str, source: Source) -> nn.Module:  # noqa: ANN401
    """Loads weights strictly into a network; rebuilds it if the position embedding has another size."""
    match, spec = source.match, source.spec
    differences = spec_differences(net, spec)
    if differences:
        raise UserError(
            f'checkpoint {source.path} holds a {spec.summary}, but {name} has {differences}: name the network or the '
            'config that the checkpoint was trained with'
        )
    if isinstance(spec, ViTSpec) and spec.img_size != net.img_size[0]:
        net = _build(dict(cfg, img_size=spec.img_size), scope, name)
    target = 'mmpretrain' if getattr(net, 'final_norm', True) else 'mmdet'
    try:
        state, _ = match.architecture.export(match.state_dict, match.key_style, spec, target)
    except UserError as error:
        raise UserError(f'checkpoint {source.path}: {error}') from error
    state = {key: value for key, value in state.items() if hasattr(net, key.split('.')[0])}  # no res5 in a C4 network
    check_weights(net.state_dict(), state, source.path, 'backbone', f'Name another network than {name}.')
    net.load_state_dict(state, strict=True)
    return net


def _check_out_indices(net: nn.Module) -> None:
    """Refuses an order that the network does not follow: maps come in the order of the blocks."""
    indices = list(getattr(net, 'out_indices', ()))
    if indices != sorted(set(indices)):
        raise UserError(f'out_indices {tuple(indices)}: give each block or stage once, in ascending order')


def _check_images(net: nn.Module, arguments: tuple[Any, ...]) -> None:
    images = arguments[0]
    dtype = next(net.parameters()).dtype
    if not (
        isinstance(images, torch.Tensor)
        and images.ndim == 4
        and images.shape[1] == 3
        and len(images)
        and images.dtype == dtype
    ):
        found = f'{images.dtype} {tuple(images.shape)}' if isinstance(images, torch.Tensor) else type(images).__name__
        raise UserError(
            f"the network takes a tensor (B, 3, H, W) of {dtype}, normalised by ImageNet's mean and standard "
            f'deviation, got {found}'
        )
