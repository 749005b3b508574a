"""What the weights of a ViT tell about it, and what only its config can (the number of heads)."""
import math
from dataclasses import dataclass

from mmssl_geo.utils.errors import UserError

from .architecture import check_weights
from .meta_config import backbone_config


@dataclass(frozen=True)
class ViTFacts:
    """Shape of a vision transformer: widths in channels, `patch_size` in pixels, `grid` in patches a side.

    `final_norm` is whether the LayerNorm after the last block is there; `heads_from` says where the number of heads was
    found.
    """
    embed_dims: int
    num_layers: int
    num_heads: int
    hidden_dims: int
    patch_size: int
    in_channels: int
    grid: int
    final_norm: bool
    heads_from: str

    @property
    def img_size(self):
        """Side in pixels of the image that the position embedding was made for."""
        return self.grid * self.patch_size

    @property
    def stride(self):
        """Pixels per cell of the map of patches."""
        return self.patch_size

    @property
    def channels(self):
        """Channels of the map of patches."""
        return self.embed_dims

    @property
    def summary(self):
        return (f'ViT of width {self.embed_dims}, depth {self.num_layers}, {self.num_heads} heads ({self.heads_from}), '
                f'hidden {self.hidden_dims}, patch {self.patch_size}, grid {self.grid} x {self.grid} '
                f'({self.img_size} pixels)')

    @property
    def meta(self):
        """What a written file says about the net."""
        return dict(num_heads=self.num_heads, patch_size=self.patch_size, embed_dims=self.embed_dims,
                    num_layers=self.num_layers, img_size=self.img_size)


def read_facts(state, called, meta, num_heads=None, patch_size=None):
    """Facts of a ViT, checked against every parameter's shape.

    Args:
        state: mmpretrain name -> tensor, all names of a ViT there; the final LayerNorm may be missing.
        called: mmpretrain name -> name in the file, for messages.
        meta: the checkpoint's `meta`, of any form; its config text or its `num_heads` is looked at.
        num_heads: the user's word; a config that says otherwise is an error.
        patch_size: the user's word, only checked.

    Returns:
        ViTFacts: with the heads by, in this order: meta's `num_heads`, the config in meta, the user, 64 channels a
        head (the rule of DeiT's and the official GTSA nets).

    Raises:
        UserError: a shape does not fit, a weight is not finite, the heads cannot be told, or the user's word is wrong.
    """
    width = state['cls_token'].numel()
    _check_position_of_cls(state['pos_embed'], called['pos_embed'])
    kernel = tuple(state['patch_embed.projection.weight'].shape)
    grid = math.isqrt(max(state['pos_embed'].numel() // max(width, 1) - 1, 0))
    if len(kernel) != 4 or kernel[2] != kernel[3] or not grid:
        raise UserError(f'patch_embed.projection.weight {kernel} and pos_embed {tuple(state["pos_embed"].shape)} are '
                        'not those of a vision transformer with square patches')
    if patch_size not in (None, kernel[-1]):
        raise UserError(f'--patch-size {patch_size} does not fit: the weights are for patches of {kernel[-1]} pixels')
    heads, heads_from = _heads(width, meta, num_heads)
    depth = 1 + max(int(key.split('.')[1]) for key in state if key.startswith('layers.'))
    facts = ViTFacts(width, depth, heads, state['layers.0.ffn.layers.0.0.bias'].numel(), kernel[-1], kernel[1], grid,
                     'ln1.weight' in state, heads_from)
    check_weights(state, _shapes(facts, state), called,
                  f'vision transformer of width {width}, patch {facts.patch_size}')
    return facts


def _check_position_of_cls(pos_embed, name):
    places = pos_embed.shape[1] if pos_embed.ndim == 3 else 0
    if places and math.isqrt(places)**2 == places:
        raise UserError(f'{name} has the shape {tuple(pos_embed.shape)}: it has {places} patches and no [CLS]; only '
                        'vision transformers whose [CLS] has a position too are known')


def _heads(width, meta, asked):
    heads, origin = None, "the file's meta"
    if isinstance(meta, dict) and str(meta.get('num_heads', '')).isdigit():
        heads = int(meta['num_heads'])
    else:
        heads, origin = _heads_in_config(backbone_config(meta), width), "the config in the file's meta"
    if heads and asked not in (None, heads):
        raise UserError(f'--num-heads {asked} contradicts {origin}, which says {heads}')
    if not heads and asked is None and width % 64:
        raise UserError(f'the number of heads cannot be told from the weights (width {width} is no multiple of 64): '
                        'name it by --num-heads')
    if not heads:
        heads, origin = (width // 64, 'assumed: 64 channels a head') if asked is None else (asked, '--num-heads')
    if heads < 1 or width % heads:
        raise UserError(f'{heads} heads ({origin}) do not divide the width {width}')
    return heads, origin


def _heads_in_config(config, width):
    """Heads of the backbone's `arch` in its config, or None."""
    arch = config.get('arch')
    if isinstance(arch, str):
        from mmpretrain.models import VisionTransformer
        arch = VisionTransformer.arch_zoo.get(arch.lower())
    fits = isinstance(arch, dict) and arch.get('embed_dims') == width
    return arch['num_heads'] if fits and isinstance(arch.get('num_heads'), int) else None


def _shapes(facts, names):
    width, hidden = facts.embed_dims, facts.hidden_dims
    ends = {
        'cls_token': (1, 1, width),
        'pos_embed': (1, facts.grid**2 + 1, width),
        'patch_embed.projection': (width, facts.in_channels, facts.patch_size, facts.patch_size),
        'ln1': (width, ),
        'ln2': (width, ),
        'qkv': (3 * width, width),
        'proj': (width, width),
        'ffn.layers.0.0': (hidden, width),
        'ffn.layers.1': (width, hidden),
    }
    shapes = {}
    for name in names:
        end = next(end for end in ends if name.removesuffix('.weight').removesuffix('.bias').endswith(end))
        shapes[name] = ends[end][:1] if name.endswith('.bias') else ends[end]
    return shapes
