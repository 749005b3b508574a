"""One encoder of a checkpoint of any known layout: its checked weights, or a network to run."""

import os
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from mmssl_geo.utils.errors import UserError

from .architecture import ArchSpec
from .io import read_checkpoint
from .layouts import MatchedEncoder, flatten_checkpoint, match_encoder


@dataclass(frozen=True)
class Source:
    """The weights of an encoder in a checkpoint file.

    Attributes:
        path: The file.
        match: The encoder: layout, role, keys and weights.
        spec: Shape of the network, `ViTSpec` or `ResNetSpec`.
        other_keys: Keys of the file's other tensors.
    """

    path: Path
    match: MatchedEncoder
    spec: ArchSpec
    other_keys: list[str]

    @property
    def description(self) -> str:
        """Layout and role."""
        return f'{self.match.layout.name}, {self.match.role}'


def load_source(
    path: str | os.PathLike,
    weights: str,
    num_heads: int | None = None,
    patch_size: int | None = None,
    allow_code: bool = False,
) -> Source:
    """Reads the weights of one encoder and checks them.

    Args:
        path: A checkpoint of a known layout (`layouts.LAYOUTS`).
        weights: 'teacher' or 'student'; a file with a single encoder gives that one.
        num_heads: Number of attention heads; needed for a ViT if neither the file nor the rule of 64 channels per head
            determines it.
        patch_size: Patch size of a ViT in pixels; only checked.
        allow_code: Whether to read a file that runs code when it is read; only for a file you trust.

    Raises:
        UserError: If the file is unreadable or has no known layout, an option is wrong, or weights do not fit or are
            not finite.
    """
    if weights not in ('teacher', 'student'):
        raise UserError(f"weights must be 'teacher' or 'student', not {weights!r}")
    contents = read_checkpoint(path, allow_code=allow_code)
    try:
        tensors = flatten_checkpoint(contents)
        match = match_encoder(tensors, weights)
        spec = match.architecture.read_spec(
            match.state_dict, match.key_style, match.source_keys, contents.get('meta'), num_heads, patch_size
        )
    except UserError as error:
        raise type(error)(f'checkpoint {path}: {error}') from error
    used = set(match.source_keys.values())
    return Source(Path(path), match, spec, [key for key in tensors if key not in used])


@dataclass(frozen=True)
class Encoder:
    """A pretrained encoder.

    Attributes:
        net: mmpretrain backbone in eval mode, float32, on the CPU. `net(images)[-1]` is the feature map, shape
            (B, channels, h, w): the patch tokens after the final LayerNorm of a ViT, the last stage (C5) of a ResNet.
        stride: Image pixels per cell of that map.
        channels: Channels of that map.
        description: One line: layout, role, network.
    """

    net: nn.Module
    stride: int
    channels: int
    description: str


def load_encoder(
    source: str | os.PathLike, weights: str = 'teacher', num_heads: int | None = None, allow_code: bool = False
) -> Encoder:
    """Builds the encoder of a checkpoint and loads its weights strictly.

    Args:
        source: A checkpoint of a known layout (`layouts.LAYOUTS`), which includes the files of the converter.
        weights: 'teacher' or 'student'; a file with a single encoder gives that one.
        num_heads: Number of attention heads; needed for a ViT if neither the file nor the rule of 64 channels per head
            determines it.
        allow_code: Whether to read a file that runs code when it is read; only for a file you trust.

    Raises:
        UserError: If the file is unreadable or has no known layout, if weights do not fit or are not finite, or if a
            ViT lacks the final LayerNorm (files for mmdet or mmseg).
    """
    loaded = load_source(source, weights, num_heads, allow_code=allow_code)
    match, spec = loaded.match, loaded.spec
    try:
        net = match.architecture.build_encoder(match.state_dict, match.key_style, spec)
    except UserError as error:
        raise UserError(f'checkpoint {source}: {error}') from error
    return Encoder(net, spec.stride, spec.channels, f'{loaded.description}, {spec.summary}')
