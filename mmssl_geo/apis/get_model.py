"""A pretrained backbone by the name of its net or of its config."""
import difflib
from pathlib import Path

import torch
from mmengine.registry import DefaultScope

from mmssl_geo.checkpoints import load_source
from mmssl_geo.evaluation.random_weights import randomly_initialised
from mmssl_geo.models.backbones.base import arch_of
from mmssl_geo.models.backbones.strict_init import check_weights
from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.paths import resource_root

from .train import build_or_explain, load_config

CONFIG_ENDINGS = ('.py', '.json', '.yaml', '.yml')
NETS = {
    **{name: dict(type='mmssl_geo.SSLVisionTransformer', arch=arch, patch_size=16)
       for name, arch in (('vitt16', 'deit-tiny'), ('vits16', 'deit-small'), ('vitb16', 'deit-base'))},
    **{name: dict(type='mmssl_geo.SSLResNet', depth=depth) for name, depth in (('r18', 18), ('r50', 50))},
}


def get_model(config_or_name, checkpoint=None, out_indices=None, weights='teacher', allow_code=False):
    """A backbone in eval mode, float32, on the CPU.

    `net(images)` gives a tuple of maps `(B, C, h, w)`, one for each out index, of images `(B, 3, H, W)` normalised by
    ImageNet's mean and deviation. Any size will do: sides that are no whole number of patches are padded with zeros at
    the right and the bottom, and the map's are rounded up. The position embedding is that of the checkpoint, resized
    to the image.

    Args:
        config_or_name: 'vitt16', 'vits16', 'vitb16', 'r18' or 'r50' (the last map alone), the name of a config in
            `configs/` without its ending, or the path of a config with a `model.backbone`, for pretraining or
            downstream, whose `init_cfg` is not looked at.
        checkpoint: a file of any layout that the converter knows, loaded strictly. None: random weights, the same
            every time.
        out_indices: which blocks (of a ViT) or stages (0 to 3 of a ResNet) give maps, in ascending order, or one of
            them; None: as the config says.
        weights: 'teacher' or 'student'; a file with one encoder gives that one.
        allow_code: read a file that needs code to be run: only one of your own making.

    Returns:
        nn.Module

    Raises:
        UserError: no such name or file, a config that cannot be used, an unsafe or unknown checkpoint, or weights that
            do not fit.
    """
    cfg, scope = _backbone_config(config_or_name)
    cfg = dict(cfg, init_cfg=None)
    if out_indices is not None:
        cfg['out_indices'] = [out_indices] if isinstance(out_indices, int) else list(out_indices)
    net = _build(cfg, scope, config_or_name)
    _check_order(net)
    if checkpoint is None:
        net = randomly_initialised(net)
    else:
        net = _load(net, cfg, scope, config_or_name, checkpoint, weights, allow_code)
    net.register_forward_pre_hook(_check_images)
    net.eval()  # mmpretrain's backbones return nothing here
    return net


def _backbone_config(config_or_name):
    """Config of the backbone, and the package that its type is looked up in."""
    if not isinstance(config_or_name, (str, Path)):
        raise UserError('get_model takes the name of a net or config, or a path, got a '
                        f'{type(config_or_name).__name__}')
    name = str(config_or_name)
    if name in NETS:
        return NETS[name], 'mmssl_geo'
    path = Path(name)
    if path.is_file() and path.suffix not in CONFIG_ENDINGS:
        raise UserError(f'{name} is no config: the net or its config comes first, then the checkpoint')
    if not path.is_file() and (path.suffix != '.py' or path.parent == Path()):
        path = _shipped(path.stem if path.suffix == '.py' else name)
    cfg = load_config(path)
    backbone = cfg.get('model', {}).get('backbone')
    if not backbone:
        raise UserError(f'config {path} has no model.backbone: give one for pretraining or for a downstream task')
    return backbone, cfg.get('default_scope', 'mmssl_geo')


def _check_order(net):
    """Maps come in the order of the blocks, whatever the config says."""
    given = list(getattr(net, 'out_indices', ()))
    if given != sorted(set(given)):
        raise UserError(f'out_indices {tuple(given)}: name each block or stage once, in ascending order, which is that '
                        'of the maps')


def _check_images(net, arguments):
    images = arguments[0]
    dtype = next(net.parameters()).dtype
    if not (isinstance(images, torch.Tensor) and images.ndim == 4 and images.shape[1] == 3 and len(images)
            and images.dtype == dtype):
        found = f'{images.dtype} {tuple(images.shape)}' if isinstance(images, torch.Tensor) else type(images).__name__
        raise UserError(f'the net takes a tensor (B, 3, H, W) of {dtype}, normalised by ImageNet\'s mean and '
                        f'deviation, got {found}')


def _shipped(name):
    paths = [path for path in sorted((resource_root() / 'configs').rglob('*.py')) if '_base_' not in path.parts]
    found = [path for path in paths if path.stem == name]
    if not found:
        near = difflib.get_close_matches(name, [*NETS, *(path.stem for path in paths)], n=3)
        raise UserError(f'there is no net or config {name}: name one of {", ".join(NETS)}, a config in configs/'
                        + (f' ({", ".join(near)}?)' if near else '') + ', or the path of a config')
    return found[0]


def _build(cfg, scope, name):
    def build(cfg):
        net = MODELS.build(cfg)
        if hasattr(net, 'out_type'):  # of mmpretrain's vision transformers
            net.out_type = 'featmap'
        return net

    with DefaultScope.overwrite_default_scope(scope):
        return build_or_explain(_Named(cfg, name), build)


class _Named(dict):
    """A config with the name that messages give it."""

    def __init__(self, values, filename):
        super().__init__(values)
        self.filename = filename


def _load(net, cfg, scope, name, checkpoint, weights, allow_code):
    source = _open(net, name, checkpoint, weights, allow_code)
    match, spec = source.match, source.spec
    listed = net_differences(net, spec)
    if listed:
        raise UserError(f'checkpoint {checkpoint} holds a {spec.summary}, but {name} has {listed}: name the net or '
                        'the config that the checkpoint was trained with')
    if hasattr(net, 'img_size') and spec.img_size != net.img_size[0]:
        net = _build(dict(cfg, img_size=spec.img_size), scope, name)  # the checkpoint's position embedding as it is
    try:
        state, _ = match.architecture.export(
            match.state_dict, match.key_style, spec, 'mmpretrain' if getattr(net, 'final_norm', True) else 'mmdet')
    except UserError as error:
        raise UserError(f'checkpoint {checkpoint}: {error}') from error
    state = {key: value for key, value in state.items() if hasattr(net, key.split('.')[0])}  # no res5 in a C4 net
    check_weights(net.state_dict(), state, checkpoint, 'backbone', f'Name another net than {name}.')
    net.load_state_dict(state, strict=True)
    return net


def _open(net, name, checkpoint, weights, allow_code):
    heads = arch_of(net).get('num_heads')
    try:
        return load_source(checkpoint, weights, heads, allow_code=allow_code)
    except UserError as error:
        if '--num-heads' not in str(error):
            raise
        kind = 'no vision transformer' if heads is None else f'a vision transformer of {heads} heads'
        raise UserError(f'{error} ({name} is {kind})') from error


def net_differences(net, spec):
    """What a net has that the net of a checkpoint (`spec`) has not, in words; '' if they are of one shape."""
    return ', '.join(f'{key}={value}' for key, value in arch_of(net).items()
                     if key != 'num_heads' and spec.meta.get(key) != value)
