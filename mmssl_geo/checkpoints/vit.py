"""Vision transformers: their keys in each package, and their spec."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mmssl_geo.checkpoints.formats.onnx import OnnxModel
from mmssl_geo.utils.errors import UserError

from .architecture import Architecture, FeatureFn, NumHeadsError, StateDict, check_weights, count_blocks
from .meta_config import backbone_config
from .networks import ClsAndMap, last_output, mmpretrain_vit, timm_vit, timm_vit_args, vit_tokens

# One entry per group of parameters, in the same order for every key style. `N` is the index of the block. The final
# LayerNorm comes last.
KEY_TEMPLATES = {
    'mmpretrain': (
        'cls_token',
        'pos_embed',
        'patch_embed.projection',
        'layers.N.ln1',
        'layers.N.attn.qkv',
        'layers.N.attn.proj',
        'layers.N.ln2',
        'layers.N.ffn.layers.0.0',
        'layers.N.ffn.layers.1',
        'ln1',
    ),
    'timm': (
        'cls_token',
        'pos_embed',
        'patch_embed.proj',
        'blocks.N.norm1',
        'blocks.N.attn.qkv',
        'blocks.N.attn.proj',
        'blocks.N.norm2',
        'blocks.N.mlp.fc1',
        'blocks.N.mlp.fc2',
        'norm',
    ),
}
_SINGLE_PARAMETERS = ('cls_token', 'pos_embed')  # all other entries have a weight and a bias
_TIMM_TARGETS = ('timm', 'huggingface')
_DENSE_TARGETS = ('mmdet', 'mmseg')  # their backbones return the blocks' outputs, without the final LayerNorm


@dataclass(frozen=True)
class ViTSpec:
    """Shape of a vision transformer.

    Attributes:
        embed_dims: Width in channels.
        num_layers: Number of blocks.
        num_heads: Number of attention heads.
        hidden_dims: Width of the hidden layer of the MLPs.
        patch_size: Side of a patch in pixels.
        in_channels: Channels of the images.
        grid_size: Patches per side of the position embedding.
        has_final_norm: Whether the LayerNorm after the last block is there.
        num_heads_source: Where the number of heads comes from, for messages.
    """

    embed_dims: int
    num_layers: int
    num_heads: int
    hidden_dims: int
    patch_size: int
    in_channels: int
    grid_size: int
    has_final_norm: bool
    num_heads_source: str

    @property
    def img_size(self) -> int:
        """Side in pixels of the images that the position embedding was made for."""
        return self.grid_size * self.patch_size

    @property
    def stride(self) -> int:
        """Pixels per cell of the map of patch tokens."""
        return self.patch_size

    @property
    def channels(self) -> int:
        """Channels of the map of patch tokens."""
        return self.embed_dims

    @property
    def summary(self) -> str:
        """One line for reports."""
        return (
            f'ViT of width {self.embed_dims}, depth {self.num_layers}, {self.num_heads} heads '
            f'({self.num_heads_source}), hidden {self.hidden_dims}, patch {self.patch_size}, '
            f'grid {self.grid_size} x {self.grid_size} ({self.img_size} pixels)'
        )

    @property
    def meta(self) -> dict[str, Any]:
        """Plain values for the metadata of written files."""
        return dict(
            num_heads=self.num_heads,
            patch_size=self.patch_size,
            embed_dims=self.embed_dims,
            num_layers=self.num_layers,
            img_size=self.img_size,
        )


class ViT(Architecture[ViTSpec]):
    """Vision transformer with a class token and a position embedding, as in timm and mmpretrain.

    A source with mmpretrain's keys may lack the final LayerNorm, as files for the dense packages do.
    """

    title = 'vision transformer (one class token; no register or distillation tokens, no LayerScale)'
    ignored_prefixes = ('head.', 'pre_logits.', 'masked_embed', 'mask_token', 'decoder_')  # the last of MAE

    def expected_keys(self, state_dict: StateDict, key_style: str) -> list[str]:
        final_norm = key_style != 'mmpretrain' or any(key in state_dict for key in _final_norm_keys(key_style))
        return vit_keys(key_style, _num_blocks(state_dict, key_style), final_norm)

    def read_spec(
        self,
        state_dict: StateDict,
        key_style: str,
        source_keys: Mapping[str, str],
        meta: object,
        num_heads: int | None,
        patch_size: int | None,
    ) -> ViTSpec:
        key_map = self._key_map(state_dict, key_style, 'mmpretrain')
        return read_vit_spec(
            {new: state_dict[old] for new, old in key_map.items()},
            {new: source_keys[old] for new, old in key_map.items()},
            meta,
            num_heads,
            patch_size,
        )

    def export(
        self, state_dict: StateDict, key_style: str, spec: ViTSpec, target: str
    ) -> tuple[StateDict, dict[str, str | None]]:
        if target not in _DENSE_TARGETS and not spec.has_final_norm:
            raise UserError(
                f'it has no final LayerNorm ({", ".join(_final_norm_keys(key_style))}), which {target} needs: files '
                'written with --to mmdet or mmseg lack it. Convert the pretraining checkpoint itself'
            )
        target_style = _target_key_style(target)
        dropped = _final_norm_keys(target_style) if target in _DENSE_TARGETS else ()
        key_map = {
            new: old for new, old in self._key_map(state_dict, key_style, target_style).items() if new not in dropped
        }
        return {new: state_dict[old] for new, old in key_map.items()}, dict(key_map)

    def source_features(self, state_dict: StateDict, key_style: str, spec: ViTSpec, target: str) -> FeatureFn:
        final_norm = target not in _DENSE_TARGETS
        if key_style == 'timm':
            return lambda images: [vit_tokens(state_dict, images, spec, final_norm)]
        dropped = () if final_norm else _final_norm_keys(key_style)
        weights = {key: value for key, value in state_dict.items() if key not in dropped}
        return last_output(mmpretrain_vit(spec, final_norm), weights)

    def target_features(self, weights: StateDict, spec: ViTSpec, target: str) -> FeatureFn:
        if target == 'timm':
            net = timm_vit(spec)
            net.load_state_dict(weights, strict=True)
            return self.timm_features(net)
        return last_output(mmpretrain_vit(spec, target not in _DENSE_TARGETS), weights)

    def timm_config(self, spec: ViTSpec) -> dict[str, Any]:
        return dict(
            architecture='vit_base_patch16_224',  # any plain ViT of timm: `model_args` sets all sizes
            model_args=timm_vit_args(spec),
            num_features=spec.embed_dims,
            input_size=(spec.in_channels, spec.img_size, spec.img_size),
            first_conv='patch_embed.proj',
            classifier='head',
        )

    def timm_features(self, net: Any) -> FeatureFn:  # noqa: ANN401  (a network of timm)
        net.double().eval()
        return lambda images: [net.forward_features(images)]

    def onnx_model(self, weights: StateDict, spec: ViTSpec) -> OnnxModel:
        """Builds the model for the native size only: another size needs another position embedding."""
        net = mmpretrain_vit(spec, final_norm=True)
        net.load_state_dict(weights, strict=True)
        net.eval()
        return OnnxModel(
            ClsAndMap(net, spec.patch_size), ('cls', 'map'), (spec.img_size, spec.img_size), dynamic_size=False
        )

    def features_from_onnx(self, outputs: list[Tensor]) -> list[Tensor]:
        cls, maps = outputs
        return [torch.cat([cls.unsqueeze(1), maps.flatten(2).transpose(1, 2)], dim=1)]

    def verification_sizes(self, key_style: str, spec: ViTSpec, target: str) -> list[tuple[int, int]]:
        """Returns the native size, and a non-square one if both sides resize the position embedding in the same way.

        mmpretrain's networks do. timm antialiases and the official code scales by a rounded factor, so the same weights
        give other embeddings. An ONNX file has a fixed size.
        """
        side = spec.img_size
        sizes = [(side, side)]
        if key_style == _target_key_style(target) == 'mmpretrain' and target != 'onnx':
            sizes.append((side + spec.patch_size, side + 3 * spec.patch_size))
        return sizes

    def build_encoder(self, state_dict: StateDict, key_style: str, spec: ViTSpec) -> nn.Module:
        net = mmpretrain_vit(spec, final_norm=True, out_type='featmap')
        net.load_state_dict(self.export(state_dict, key_style, spec, 'mmpretrain')[0], strict=True)
        net.eval()
        return net

    def _key_map(self, state_dict: StateDict, key_style: str, target_style: str) -> dict[str, str]:
        """Returns the key in `state_dict` for each key of the target style."""
        keys = self.expected_keys(state_dict, key_style)
        final_norm = _final_norm_keys(key_style)[0] in keys
        return dict(zip(vit_keys(target_style, _num_blocks(state_dict, key_style), final_norm), keys, strict=True))


def vit_keys(key_style: str, num_blocks: int, final_norm: bool = True) -> list[str]:
    """Returns all parameter keys of a ViT, in the same order for every key style."""
    templates = KEY_TEMPLATES[key_style] if final_norm else KEY_TEMPLATES[key_style][:-1]
    keys = []
    for template in templates:
        for index in range(num_blocks if '.N.' in template else 1):
            key = template.replace('.N.', f'.{index}.')
            keys += [key] if template in _SINGLE_PARAMETERS else [f'{key}.weight', f'{key}.bias']
    return keys


def _final_norm_keys(key_style: str) -> tuple[str, ...]:
    return tuple(f'{KEY_TEMPLATES[key_style][-1]}.{kind}' for kind in ('weight', 'bias'))


def _num_blocks(keys: Iterable[str], key_style: str) -> int:
    """Returns the number of blocks; at least 1, so that the keys of a block count as missing."""
    blocks = re.escape(KEY_TEMPLATES[key_style][3].split('N')[0])
    matches = (re.match(blocks + r'(\d+)\.', key) for key in keys)
    return count_blocks(match[1] for match in matches if match)


def _target_key_style(target: str) -> str:
    return 'timm' if target in _TIMM_TARGETS else 'mmpretrain'


def read_vit_spec(
    state_dict: StateDict,
    source_keys: Mapping[str, str],
    meta: object,
    num_heads: int | None = None,
    patch_size: int | None = None,
) -> ViTSpec:
    """Reads the spec of a ViT off its weights and checks the shape of every parameter.

    The number of heads comes from the first of: `num_heads` of the metadata, the config in the metadata, `num_heads`
    here, 64 channels per head (the rule of DeiT and of the official GTSA networks).

    Args:
        state_dict: Weights by mmpretrain's keys, complete except for the final LayerNorm.
        source_keys: Key in the file for each key, for messages.
        meta: Metadata of the checkpoint, of any form.
        num_heads: Number of heads that the user gave; the metadata must not contradict it.
        patch_size: Patch size that the user gave; the weights must not contradict it.

    Raises:
        UserError: If a shape does not fit, a weight is not finite, the number of heads is unknown, or an option of the
            user does not fit.
    """
    width = state_dict['cls_token'].numel()
    _check_cls_position(state_dict['pos_embed'], source_keys['pos_embed'])
    kernel = tuple(state_dict['patch_embed.projection.weight'].shape)
    grid_size = math.isqrt(max(state_dict['pos_embed'].numel() // max(width, 1) - 1, 0))
    if len(kernel) != 4 or kernel[2] != kernel[3] or not grid_size:
        raise UserError(
            f'patch_embed.projection.weight {kernel} and pos_embed {tuple(state_dict["pos_embed"].shape)} do not '
            'belong to a vision transformer with square patches'
        )
    if patch_size not in (None, kernel[-1]):
        raise UserError(f'--patch-size {patch_size} does not fit: the weights are for patches of {kernel[-1]} pixels')
    heads, heads_source = _num_heads(width, meta, num_heads)
    spec = ViTSpec(
        embed_dims=width,
        num_layers=_num_blocks(state_dict, 'mmpretrain'),
        num_heads=heads,
        hidden_dims=state_dict['layers.0.ffn.layers.0.0.bias'].numel(),
        patch_size=kernel[-1],
        in_channels=kernel[1],
        grid_size=grid_size,
        has_final_norm='ln1.weight' in state_dict,
        num_heads_source=heads_source,
    )
    net_name = f'vision transformer of width {width}, patch {spec.patch_size}'
    check_weights(state_dict, _shapes(spec, state_dict), source_keys, net_name)
    return spec


def _check_cls_position(pos_embed: Tensor, source_key: str) -> None:
    positions = pos_embed.shape[1] if pos_embed.ndim == 3 else 0
    if positions and math.isqrt(positions) ** 2 == positions:
        raise UserError(
            f'{source_key} has shape {tuple(pos_embed.shape)}: {positions} patches without [CLS]; only vision '
            'transformers with a position embedding for [CLS] are supported'
        )


def _num_heads(width: int, meta: object, requested: int | None) -> tuple[int, str]:
    """Returns the number of heads and where it comes from."""
    stored = str(meta.get('num_heads', '')) if isinstance(meta, dict) else ''
    if re.fullmatch('[0-9]{1,6}', stored):
        heads, source = int(stored), "the file's meta"
    else:
        heads, source = _heads_in_config(backbone_config(meta), width), "the config in the file's meta"
    if heads and requested not in (None, heads):
        raise NumHeadsError(f'--num-heads {requested} contradicts {source}, which says {heads}')
    if not heads:
        if requested is not None:
            heads, source = requested, '--num-heads'
        elif width % 64 == 0:
            heads, source = width // 64, 'assumed: 64 channels per head'
        else:
            raise NumHeadsError(
                f'the weights do not determine the number of heads (width {width} is not a multiple of 64): give it '
                'with --num-heads'
            )
    if heads < 1 or width % heads:
        raise UserError(f'the width {width} is not a multiple of {heads} heads ({source})')
    return heads, source


def _heads_in_config(config: Mapping[str, Any], width: int) -> int:
    """Returns the number of heads of the backbone's `arch` in its config, or 0 if it is unknown."""
    arch = config.get('arch')
    if isinstance(arch, str):
        from mmpretrain.models import VisionTransformer

        arch = VisionTransformer.arch_zoo.get(arch.lower())
    if not isinstance(arch, dict) or arch.get('embed_dims') != width:
        return 0
    return arch['num_heads'] if isinstance(arch.get('num_heads'), int) else 0


def _shapes(spec: ViTSpec, keys: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Returns the expected shapes by mmpretrain's keys."""
    width, hidden = spec.embed_dims, spec.hidden_dims
    shape_by_suffix: dict[str, tuple[int, ...]] = {
        'cls_token': (1, 1, width),
        'pos_embed': (1, spec.grid_size**2 + 1, width),
        'patch_embed.projection': (width, spec.in_channels, spec.patch_size, spec.patch_size),
        'ln1': (width,),
        'ln2': (width,),
        'qkv': (3 * width, width),
        'proj': (width, width),
        'ffn.layers.0.0': (hidden, width),
        'ffn.layers.1': (width, hidden),
    }
    shapes = {}
    for key in keys:
        name = key.removesuffix('.weight').removesuffix('.bias')
        shape = next(shape for suffix, shape in shape_by_suffix.items() if name.endswith(suffix))
        shapes[key] = shape[:1] if key.endswith('.bias') else shape
    return shapes
