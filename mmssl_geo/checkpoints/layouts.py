"""Where a checkpoint keeps its encoders, whose names their weights have there, and which of all this a file is.

A further source is one more `Layout` in `LAYOUTS`; further names are one more column of `vit._NAMES`.
"""
import re
from dataclasses import dataclass

import torch

from mmssl_geo.utils.errors import UserError

from .architecture import Architecture
from .resnet import ResNet
from .vit import ViT

_NAMINGS = {'mmpretrain': ViT(), 'timm': ViT(), 'torchvision': ResNet()}


@dataclass(frozen=True)
class Layout:
    """One kind of checkpoint.

    Attributes:
        name: what the user is told it is.
        namings: whose names the weights may have, keys of `_NAMINGS`.
        prefixes: role ('student', 'teacher', or 'encoder' where there is only one) -> what stands before its names
            in a flattened checkpoint.
        signs: if any, one of these is in a name of every such checkpoint.
    """
    name: str
    namings: tuple
    prefixes: dict
    signs: tuple = ()


_DINO = dict(student='student/backbone.', teacher='teacher/backbone.')
LAYOUTS = (
    Layout('training checkpoint of mmssl_geo', ('mmpretrain', 'torchvision'),
           dict(student='backbone.', teacher='teacher.backbone.')),
    Layout('official GTSA training checkpoint', ('timm', ),
           dict(student='base_encoder.', teacher='momentum_encoder.')),
    Layout('iBOT or denseSSL training checkpoint', ('timm', 'torchvision'), _DINO, ('ibot_loss/', '.masked_embed')),
    Layout('DINO training checkpoint', ('timm', 'torchvision'), _DINO),
    Layout('one network of a DINO, iBOT or denseSSL checkpoint', ('timm', ), dict(encoder='backbone.')),
    Layout('encoder alone, names of mmpretrain', ('mmpretrain', ), dict(encoder='')),
    Layout('encoder alone, names of timm', ('timm', ), dict(encoder='')),
    Layout('encoder alone, names of torchvision', ('torchvision', ), dict(encoder='')),
)


@dataclass(frozen=True)
class Found:
    """One encoder of a checkpoint, taken by a layout.

    Attributes:
        layout: the layout.
        naming: whose names.
        role: 'student', 'teacher' or 'encoder'.
        own: own name -> tensor.
        missing: names that such a net has and the file lacks.
        unknown: names that such a net does not have.
    """
    layout: Layout
    naming: str
    role: str
    own: dict
    missing: list
    unknown: list

    @property
    def architecture(self) -> Architecture:
        return _NAMINGS[self.naming]

    @property
    def prefix(self):
        return self.layout.prefixes[self.role]

    @property
    def fit(self):
        """Order of likeness: a whole net before a part, then by the number of its weights."""
        return not (self.missing or self.unknown), len(self.own) - len(self.unknown)


def flatten(contents):
    """All tensors of a checkpoint by name.

    Those of `state_dict` or `model` go by their own names, those of other dicts by `dict's name + '/' + name`; the
    `module.` that a wrapper for several processes puts first is taken off.
    """
    main = next((key for key in ('state_dict', 'model') if isinstance(contents.get(key), dict)), None)
    flat = {str(key): value for key, value in contents.items() if isinstance(value, torch.Tensor)}
    for container, values in contents.items():
        for key, value in values.items() if isinstance(values, dict) else ():
            if isinstance(value, torch.Tensor):
                flat[('' if container == main else f'{container}/') + str(key)] = value
    return {re.sub(r'^([^/.]+/)?module\.', r'\1', key): value for key, value in flat.items()}


def find(flat, weights):
    """The encoder asked for.

    Args:
        flat: name -> tensor, from `flatten`.
        weights: 'student' or 'teacher'; a file with one encoder gives that one.

    Returns:
        Found: whole, nothing missing or unknown.

    Raises:
        UserError: no layout fits (names all that is missing or unknown in the closest), or the file has the other
            encoder only.
    """
    signed = [layout for layout in LAYOUTS if not layout.signs or any(sign in key for sign in layout.signs
                                                                      for key in flat)]
    best = max((_take(flat, layout, naming, role) for layout in signed for naming in layout.namings
                for role in layout.prefixes), key=lambda found: found.fit)
    if best.fit[1] == 0:
        raise UserError(f'the weights fit no known layout: there are {listed(flat, 12)}. {_known()}')
    found = _take(flat, best.layout, best.naming, weights if weights in best.layout.prefixes else 'encoder')
    if found.fit[1] == 0:
        raise UserError(f'the {found.layout.name} has no {found.role} ({found.prefix}*); take the {best.role}: '
                        f'--weights {best.role}')
    if not found.fit[0]:
        faults = [f'{label} {listed(names)}' for label, names in (
            ('it lacks', found.missing), ('unknown are', found.unknown)) if names]
        raise UserError(f'the weights fit no known layout. Closest is "{found.layout.name}", {found.role}, a plain '
                        f'{found.architecture.title}: {"; ".join(faults)}. {_known()}')
    return found


def listed(keys, most=40):
    """Names in one line; those that differ only in numbers are one pattern with their count."""
    patterns = {}
    for key in keys:
        patterns.setdefault(re.sub(r'(?<=\.)\d+(?=\.)', '*', key), []).append(key)
    texts = [names[0] if len(names) == 1 else f'{pattern} ({len(names)} x)' for pattern, names in patterns.items()]
    return ', '.join(texts[:most]) + (f' and {len(texts) - most} more' if len(texts) > most else '') or '(none)'


def _take(flat, layout, naming, role):
    architecture, prefix = _NAMINGS[naming], layout.prefixes[role]
    own = {key[len(prefix):]: value for key, value in flat.items() if key.startswith(prefix)}
    own = {key: value for key, value in own.items() if '/' not in key and not key.startswith(architecture.extras)}
    names = dict.fromkeys(architecture.names(own, naming))
    return Found(layout, naming, role, own, [name for name in names if name not in own],
                 [prefix + key for key in own if key not in names])


def _known():
    return f'Known are: {"; ".join(layout.name for layout in LAYOUTS)}'
