"""What the weights of a ViT tell about it, and what only its config can (the number of heads)."""
import ast
import math
from dataclasses import dataclass

import torch

from ..errors import UserError
from .layouts import depth_of


@dataclass(frozen=True)
class ViTFacts:
    """Shape of a vision transformer: widths in channels, `patch_size` in pixels, `grid` in patches a side.

    `heads_from` says where the number of heads was found.
    """
    embed_dims: int
    num_layers: int
    num_heads: int
    hidden_dims: int
    patch_size: int
    in_channels: int
    grid: int
    heads_from: str

    @property
    def img_size(self):
        """Side in pixels of the image that the position embedding was made for."""
        return self.grid * self.patch_size


def read_facts(state, called, meta, num_heads=None, patch_size=None):
    """Facts of a ViT, checked against every parameter's shape.

    Args:
        state: mmpretrain name -> tensor, all names of a ViT there.
        called: mmpretrain name -> name in the file, for messages.
        meta: the checkpoint's `meta` dict; its config text or its `num_heads` is looked at.
        num_heads: the user's word; a config that says otherwise is an error.
        patch_size: the user's word, only checked.

    Returns:
        ViTFacts: with the heads by, in this order: meta's `num_heads`, the config in meta, the user, 64 channels a
        head (the rule of DeiT's and the official GTSA nets).

    Raises:
        UserError: a shape does not fit, a weight is not finite, the heads cannot be told, or the user's word is wrong.
    """
    width = state['cls_token'].numel()
    kernel = tuple(state['patch_embed.projection.weight'].shape)
    grid = math.isqrt(max(state['pos_embed'].numel() // max(width, 1) - 1, 0))
    if len(kernel) != 4 or kernel[2] != kernel[3] or not grid:
        raise UserError(f'patch_embed.projection.weight {kernel} and pos_embed {tuple(state["pos_embed"].shape)} are '
                        'not those of a vision transformer with square patches')
    if patch_size not in (None, kernel[-1]):
        raise UserError(f'--patch-size {patch_size} does not fit: the weights are for patches of {kernel[-1]} pixels')
    heads, heads_from = _heads(width, meta, num_heads)
    facts = ViTFacts(width, depth_of(state, 'mmpretrain'), heads, state['layers.0.ffn.layers.0.0.bias'].numel(),
                     kernel[-1], kernel[1], grid, heads_from)
    _check_weights(state, called, facts)
    return facts


def _heads(width, meta, asked):
    heads, origin = None, "the file's meta"
    if str(meta.get('num_heads', '')).isdigit():
        heads = int(meta['num_heads'])
    elif isinstance(meta.get('cfg'), str):
        heads, origin = _heads_in_config(meta['cfg'], width), "the config in the file's meta"
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


def _heads_in_config(text, width):
    """Heads of `model.backbone.arch` in a config's text, or None. The text is parsed, never run."""
    try:
        values = [_literal(statement.value) for statement in ast.parse(text).body
                  if isinstance(statement, ast.Assign) and getattr(statement.targets[0], 'id', None) == 'model']
        arch = values[-1]['backbone']['arch']
    except (SyntaxError, ValueError, RecursionError, IndexError, KeyError, TypeError):  # not there, or another form
        return None
    if isinstance(arch, str):
        from mmpretrain.models import VisionTransformer
        arch = VisionTransformer.arch_zoo.get(arch.lower())
    fits = isinstance(arch, dict) and arch.get('embed_dims') == width
    return arch['num_heads'] if fits and isinstance(arch.get('num_heads'), int) else None


def _literal(node):
    """Value of a `dict(...)`, a `{...}` or a constant; an empty dict for anything else."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Call) and getattr(node.func, 'id', None) == 'dict' and not node.args:
        return {keyword.arg: _literal(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict):
        return {_literal(key): _literal(value) for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant)}
    return {}


def _check_weights(state, called, facts):
    width, hidden = facts.embed_dims, facts.hidden_dims
    shapes = {
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
    for key, value in state.items():
        group = next(name for name in shapes if key.removesuffix('.weight').removesuffix('.bias').endswith(name))
        shape = shapes[group][:1] if key.endswith('.bias') else shapes[group]
        if tuple(value.shape) != shape:
            raise UserError(f'{called[key]} has the shape {tuple(value.shape)}; {shape} is due for a vision '
                            f'transformer of width {width}, patch {facts.patch_size}')
        if not value.is_floating_point() or not torch.isfinite(value).all():
            raise UserError(f'{called[key]} holds values that are not finite numbers (NaN or Inf): the training '
                            'broke down; take an earlier checkpoint')

