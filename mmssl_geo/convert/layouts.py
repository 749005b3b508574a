"""Where a checkpoint keeps its encoders, and what their parameters are called there.

A further source (DINO, iBOT, another package) is one more `Layout` in `LAYOUTS`, and one more column of `_NAMES` if
its names are new.
"""
import re
from dataclasses import dataclass

import torch

from ..errors import UserError

# One line per group of parameters; `N` is the block's number.
_NAMES = {
    'mmpretrain': ('cls_token', 'pos_embed', 'patch_embed.projection', 'layers.N.ln1', 'layers.N.attn.qkv',
                   'layers.N.attn.proj', 'layers.N.ln2', 'layers.N.ffn.layers.0.0', 'layers.N.ffn.layers.1', 'ln1'),
    'timm': ('cls_token', 'pos_embed', 'patch_embed.proj', 'blocks.N.norm1', 'blocks.N.attn.qkv',
             'blocks.N.attn.proj', 'blocks.N.norm2', 'blocks.N.mlp.fc1', 'blocks.N.mlp.fc2', 'norm'),
}
_BARE = ('cls_token', 'pos_embed')  # parameters themselves; the others have a weight and a bias


@dataclass(frozen=True)
class Layout:
    """One kind of checkpoint.

    Attributes:
        name: what the user is told it is.
        naming: 'mmpretrain' or 'timm', the names of a ViT's parameters.
        prefixes: role ('student', 'teacher', or 'encoder' where there is only one) -> what stands before its names.
        ignored: prefixes of further weights that an encoder without a prefix may come with.
    """
    name: str
    naming: str
    prefixes: dict
    ignored: tuple = ()


LAYOUTS = (
    Layout('training checkpoint of mmssl_geo', 'mmpretrain', dict(student='backbone.', teacher='teacher.backbone.')),
    Layout('official GTSA training checkpoint', 'timm', dict(student='base_encoder.', teacher='momentum_encoder.')),
    Layout('encoder alone, names of mmpretrain', 'mmpretrain', dict(encoder='')),
    Layout('encoder alone, names of timm', 'timm', dict(encoder=''), ignored=('head.', )),
)


def flatten(contents):
    """All tensors of a checkpoint by name.

    Those of `state_dict` or `model` go by their own names, those of other dicts by `dict's name + '.' + name`; the
    `module.` that a wrapper for several processes puts first is taken off.
    """
    main = next((key for key in ('state_dict', 'model') if isinstance(contents.get(key), dict)), None)
    flat = {key: value for key, value in contents.items() if isinstance(value, torch.Tensor)}
    for container, values in contents.items():
        for key, value in values.items() if isinstance(values, dict) else ():
            if isinstance(value, torch.Tensor):
                flat[('' if container == main else f'{container}.') + str(key)] = value
    return {re.sub(r'^((?:student|teacher)\.)?module\.', r'\1', str(key)): value for key, value in flat.items()}


def detect(flat):
    """Layout of a flattened checkpoint.

    Args:
        flat: name -> tensor, from `flatten`.

    Raises:
        UserError: none fits; names some of the keys.
    """
    for layout in LAYOUTS:
        marks = ('cls_token', 'pos_embed', _NAMES[layout.naming][2] + '.weight')
        if any(all(prefix + mark in flat for mark in marks) for prefix in layout.prefixes.values()):
            return layout
    raise UserError(
        f'the weights fit no known layout of a vision transformer: keys such as {_some(flat)} belong to none. '
        f'Known are: {"; ".join(layout.name for layout in LAYOUTS)}')


def pick(flat, layout, weights):
    """One encoder's weights by their own names.

    Args:
        flat: name -> tensor, from `flatten`.
        layout: from `detect`.
        weights: 'student' or 'teacher'; a file with one encoder gives that one.

    Returns:
        tuple: (own name -> tensor, names of everything else, the role taken).

    Raises:
        UserError: the file has no such encoder.
    """
    role = weights if weights in layout.prefixes else 'encoder'
    prefix = layout.prefixes[role]
    own = {key[len(prefix):]: value for key, value in flat.items()
           if key.startswith(prefix) and not key.startswith(layout.ignored)}
    if not own:
        other = 'student' if role == 'teacher' else 'teacher'
        raise UserError(f'the {layout.name} has no {role} ({prefix}*); take the {other}: --weights {other}')
    return own, [key for key in flat if not key.startswith(prefix) or key.startswith(layout.ignored)], role


def names(naming, depth):
    """All parameter names of a ViT of `depth` blocks, in an order that is the same for every naming."""
    listed = []
    for group in _NAMES[naming]:
        for number in range(depth if '.N.' in group else 1):
            name = group.replace('.N.', f'.{number}.')
            listed += [name] if group in _BARE else [f'{name}.weight', f'{name}.bias']
    return listed


def drop_final_norm(state, naming):
    """The weights without the final LayerNorm, for nets that use the blocks' outputs as they are."""
    return {key: value for key, value in state.items() if not key.startswith(_NAMES[naming][-1] + '.')}


def depth_of(own, naming):
    """Number of blocks, by the highest block number among the names."""
    first = _NAMES[naming][3].split('N')[0]
    numbers = [int(key[len(first):].split('.')[0]) for key in own if re.match(re.escape(first) + r'\d+\.', key)]
    return max(numbers, default=-1) + 1


def to_naming(own, source, target, layout_name):
    """Renames a ViT's parameters.

    Args:
        own: source name -> tensor.
        source: the naming it has.
        target: the naming wanted.
        layout_name: for the message.

    Returns:
        tuple: (target name -> tensor, target name -> source name).

    Raises:
        UserError: names keys that a plain ViT does not have, or lacks.
    """
    depth = depth_of(own, source)
    wanted = names(source, depth)
    extra, missing = [key for key in own if key not in wanted], [key for key in wanted if key not in own]
    if extra or missing or depth == 0:
        faults = [f'{label} {_some(keys)}' for label, keys in (('has unknown keys', extra), ('lacks', missing)) if keys]
        raise UserError(f'the {layout_name} is not a plain vision transformer: it '
                        f'{" and ".join(faults) or "has no blocks"}')
    renamed = dict(zip(names(target, depth), wanted, strict=True))
    return {new: own[old] for new, old in renamed.items()}, renamed


def _some(keys, most=6):
    keys = list(keys)
    return ', '.join(keys[:most]) + (f' and {len(keys) - most} more' if len(keys) > most else '') if keys else '(none)'
