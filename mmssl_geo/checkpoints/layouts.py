"""The meaning of a checkpoint's keys: which layout a file has, and which of its tensors are an encoder.

To support another kind of checkpoint, add a `Layout` to `LAYOUTS`. To support another package's keys of a ViT, add an
entry to `vit.KEY_TEMPLATES` and to `ARCHITECTURES`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mmssl_geo.utils.errors import UserError

from .architecture import Architecture
from .resnet import ResNet
from .vit import ViT

ARCHITECTURES: dict[str, Architecture[Any]] = {'mmpretrain': ViT(), 'timm': ViT(), 'torchvision': ResNet()}
"""Architecture by key style."""


@dataclass(frozen=True)
class Layout:
    """A kind of checkpoint.

    Attributes:
        name: Name for messages.
        key_styles: Key styles that the encoder's weights may have, out of `ARCHITECTURES`.
        prefixes: Prefix of the encoder's keys in the flattened checkpoint, by role: 'student' and 'teacher', or
            'encoder' if there is only one.
        markers: Strings of which at least one occurs in the keys of every such checkpoint; empty if there are none.
    """

    name: str
    key_styles: tuple[str, ...]
    prefixes: dict[str, str]
    markers: tuple[str, ...] = ()


WRAPPERS = ('_orig_mod', '_fsdp_wrapped_module', '_checkpoint_wrapped_module')
MAIN_ENTRIES = ('state_dict', 'model', 'model_state_dict', 'module')
_DINO_PREFIXES = dict(student='student/backbone.', teacher='teacher/backbone.')
LAYOUTS = (
    Layout(
        'MoCo training checkpoint',
        ('torchvision',),
        dict(student='encoder_q.', teacher='encoder_k.'),
        markers=('encoder_q.',),
    ),
    Layout('DenseCL training checkpoint', ('torchvision',), dict(student='encoder_q.0.', teacher='encoder_k.0.')),
    Layout('PixPro or SoCo training checkpoint', ('torchvision',), dict(student='encoder.', teacher='encoder_k.')),
    Layout(
        'solo-learn training checkpoint',
        ('timm', 'torchvision'),
        dict(student='backbone.', teacher='momentum_backbone.'),
        markers=('momentum_backbone.',),
    ),
    Layout(
        'solo-learn training checkpoint without momentum',
        ('timm', 'torchvision'),
        dict(encoder='backbone.'),
        markers=('projector.', 'classifier.weight'),
    ),
    Layout(
        'lightly training checkpoint',
        ('timm', 'torchvision'),
        dict(student='student_backbone.', teacher='teacher_backbone.'),
    ),
    Layout(
        'lightly training checkpoint of a masked ViT',
        ('timm',),
        dict(student='student_backbone.vit.', teacher='teacher_backbone.vit.'),
    ),
    Layout(
        'lightly training checkpoint with a momentum encoder',
        ('timm', 'torchvision'),
        dict(student='backbone.', teacher='backbone_momentum.'),
        markers=('backbone_momentum.',),
    ),
    Layout(
        'training checkpoint of mmssl_geo',
        ('mmpretrain', 'torchvision'),
        dict(student='backbone.', teacher='teacher.backbone.'),
    ),
    Layout(
        'official GTSA or MoCo v3 training checkpoint',
        ('timm', 'torchvision'),
        dict(student='base_encoder.', teacher='momentum_encoder.'),
    ),
    Layout(
        'iBOT or denseSSL training checkpoint',
        ('timm', 'torchvision'),
        _DINO_PREFIXES,
        markers=('ibot_loss/', '.masked_embed'),
    ),
    Layout('DINO training checkpoint', ('timm', 'torchvision'), _DINO_PREFIXES),
    Layout('one network of a DINO, iBOT or denseSSL checkpoint', ('timm',), dict(encoder='backbone.')),
    Layout('single encoder with the keys of mmpretrain', ('mmpretrain',), dict(encoder='')),
    Layout('single encoder with the keys of timm', ('timm',), dict(encoder='')),
    Layout('single encoder with the keys of torchvision', ('torchvision',), dict(encoder='')),
)


FOREIGN_KEYS = {
    r'(^|\.)embeddings\.(patch_embeddings|cls_token)': (
        'Hugging Face transformers',
        'load the network in timm (timm.create_model(NAME, pretrained=True))',
    ),
    r'^(teacher|student)_embedding_model': ('lightly-train', 'export its backbone (lightly_train.export)'),
    r'(^|\.)4\.0\.conv1\.weight$': (
        'a ResNet as an nn.Sequential without names',
        'load them into a ResNet of torchvision, layer by layer',
    ),
    r'(^|\.)visual\.(transformer|trunk|conv1)': ('a CLIP model', 'take its image encoder as a network of timm'),
}
"""What wrote keys that no layout fits, and how to get an encoder with the keys of timm or torchvision."""


@dataclass(frozen=True)
class MatchedEncoder:
    """An encoder of a checkpoint, matched by a layout.

    Attributes:
        layout: The layout.
        key_style: Key style of the weights.
        role: 'student', 'teacher' or 'encoder'.
        state_dict: Weights by their keys without prefix.
        missing_keys: Keys of such a network that the file lacks.
        unexpected_keys: Keys in the file (with prefix) that such a network does not have.
    """

    layout: Layout
    key_style: str
    role: str
    state_dict: dict[str, Tensor]
    missing_keys: list[str]
    unexpected_keys: list[str]

    @property
    def architecture(self) -> Architecture[Any]:
        """The architecture that has this key style."""
        return ARCHITECTURES[self.key_style]

    @property
    def prefix(self) -> str:
        """Prefix of the encoder's keys in the file."""
        return self.layout.prefixes[self.role]

    @property
    def source_keys(self) -> dict[str, str]:
        """Key in the file for each key of `state_dict`."""
        return {key: self.prefix + key for key in self.state_dict}

    @property
    def is_complete(self) -> bool:
        """Whether no key is missing or unexpected."""
        return not (self.missing_keys or self.unexpected_keys)

    @property
    def num_expected(self) -> int:
        """Number of weights that belong to such a network."""
        return len(self.state_dict) - len(self.unexpected_keys)


def flatten_checkpoint(contents: Mapping[Any, Any]) -> dict[str, Tensor]:
    """Returns all tensors of a checkpoint by key.

    Tensors of `state_dict`, `model` or DeepSpeed's `module` keep their keys; those of another dict get its name and '/'
    as a prefix. Names of wrappers are removed.

    Raises:
        UserError: If two tensors get the same key, or a key is not text.
    """
    main = next((name for name in MAIN_ENTRIES if isinstance(contents.get(name), dict)), None)
    tensors = {str(key): value for key, value in contents.items() if isinstance(value, Tensor)}
    for name, values in contents.items():
        for key, value in values.items() if isinstance(values, dict) else ():
            if isinstance(value, Tensor):
                if not isinstance(key, str):
                    raise UserError(f'{name} has the key {key!r}, but the keys of weights must be text')
                tensors[('' if name == main else f'{name}/') + key] = value
    stripped: dict[str, Tensor] = {}
    for key, value in tensors.items():
        short = strip_wrappers(key)
        if short in stripped:
            raise UserError(f'the file has two tensors for {short}, one of them under the name {key}')
        stripped[short] = value
    return stripped


def strip_wrappers(key: str, inner_module: bool = True) -> str:
    """Removes the names that DDP, FSDP, `torch.compile` and activation checkpointing put into the keys of a model.

    Args:
        key: Key of a tensor.
        inner_module: Whether to remove `module.` in the middle of a key too. A model may have a part of that name, an
            encoder of a known architecture does not.
    """
    key = re.sub(rf'(?<![^./])(?:{"|".join(WRAPPERS)})\.', '', key)
    return re.sub(r'(?<![^./])module\.', '', key) if inner_module else key.removeprefix('module.')


def match_encoder(tensors: Mapping[str, Tensor], weights: str) -> MatchedEncoder:
    """Finds the layout of a checkpoint and returns one of its encoders.

    Args:
        tensors: Tensors by key, from `flatten_checkpoint`.
        weights: 'student' or 'teacher'; a file with a single encoder gives that one.

    Returns:
        A complete encoder, without missing or unexpected keys.

    Raises:
        UserError: If no layout fits (names all missing and unexpected keys of the closest one), or if the file has
            only the other encoder.
    """
    layouts = [
        layout
        for layout in LAYOUTS
        if not layout.markers or any(marker in key for marker in layout.markers for key in tensors)
    ]
    matches = [
        _match(tensors, layout, key_style, role)
        for layout in layouts
        for key_style in layout.key_styles
        for role in layout.prefixes
    ]
    best = max(matches, key=lambda match: (match.is_complete, match.num_expected))
    if not best.is_complete:
        _refuse_foreign(tensors)
    if best.num_expected == 0:
        raise UserError(
            f'the weights fit no known layout; the file has the keys {summarize_keys(tensors, 12)}. {_known_layouts()}'
        )
    match = _match(tensors, best.layout, best.key_style, weights if weights in best.layout.prefixes else 'encoder')
    if match.num_expected == 0:
        raise UserError(
            f'the {match.layout.name} has no {match.role} ({match.prefix}*); use the {best.role} with '
            f'--weights {best.role}'
        )
    if not match.is_complete:
        faults = [
            f'{label} {summarize_keys(keys)}'
            for label, keys in (('missing keys:', match.missing_keys), ('unexpected keys:', match.unexpected_keys))
            if keys
        ]
        raise UserError(
            f'the weights fit no known layout. Closest is "{match.layout.name}", {match.role}, a plain '
            f'{match.architecture.title}; {"; ".join(faults)}. {_known_layouts()}'
        )
    return match


def _refuse_foreign(tensors: Mapping[str, Tensor]) -> None:
    for pattern, (writer, remedy) in FOREIGN_KEYS.items():
        key = next((key for key in tensors if re.search(pattern, key)), None)
        if key:
            raise UserError(
                f'the weights have the keys of {writer} ({key}), which are not supported; {remedy} and save its '
                'state_dict'
            )


def summarize_keys(keys: Iterable[str], limit: int = 40) -> str:
    """Lists keys in one line; keys that differ only in block indices become one pattern with their count."""
    patterns: dict[str, list[str]] = {}
    for key in keys:
        patterns.setdefault(re.sub(r'(?<=\.)\d+(?=\.)', '*', key), []).append(key)
    texts = [same[0] if len(same) == 1 else f'{pattern} ({len(same)} x)' for pattern, same in patterns.items()]
    more = f' and {len(texts) - limit} more' if len(texts) > limit else ''
    return ', '.join(texts[:limit]) + more or '(none)'


def _match(tensors: Mapping[str, Tensor], layout: Layout, key_style: str, role: str) -> MatchedEncoder:
    architecture, prefix = ARCHITECTURES[key_style], layout.prefixes[role]
    state_dict = {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}
    state_dict = {
        key: value
        for key, value in state_dict.items()
        if '/' not in key and not key.startswith(architecture.ignored_prefixes)
    }
    expected = dict.fromkeys(architecture.expected_keys(state_dict, key_style))
    return MatchedEncoder(
        layout,
        key_style,
        role,
        state_dict,
        missing_keys=[key for key in expected if key not in state_dict],
        unexpected_keys=[prefix + key for key in state_dict if key not in expected],
    )


def _known_layouts() -> str:
    return f'Known layouts: {"; ".join(layout.name for layout in LAYOUTS)}'
