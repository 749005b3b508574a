"""A pretrained encoder of any known layout as a net to run."""
from dataclasses import dataclass

from torch import nn

from mmssl_geo.utils.errors import UserError

from .source import open_source


@dataclass(frozen=True)
class Encoder:
    """A pretrained encoder.

    Attributes:
        net: mmpretrain backbone in eval mode, float32, on the CPU. `net(images)[-1]` is a map (B, channels, h, w):
            the patches after the final LayerNorm of a ViT, the last stage (C5) of a ResNet.
        stride: view pixels per cell of that map.
        channels: of that map.
        description: one line: layout, role, net.
    """
    net: nn.Module
    stride: int
    channels: int
    description: str


def load_encoder(source, weights='teacher', num_heads=None, allow_code=False):
    """Builds the encoder of a checkpoint and loads it strictly.

    Args:
        source: path of a checkpoint of any known layout (`layouts.LAYOUTS`), such as files of the converter.
        weights: 'teacher' or 'student'; a file with one encoder gives that one.
        num_heads: needed for a ViT where neither the file nor the rule of 64 channels a head tells.
        allow_code: read a file that needs code to be run.

    Returns:
        Encoder

    Raises:
        UserError: unreadable or unknown source, weights that do not fit or are not finite, or a ViT without its final
            LayerNorm (made for mmdet or mmseg).
    """
    opened = open_source(source, weights, num_heads, allow_code=allow_code)
    found, facts = opened.found, opened.facts
    try:
        net = found.architecture.encoder(found.own, found.naming, facts)
    except UserError as error:
        raise UserError(f'checkpoint {source}: {error}') from error
    return Encoder(net, facts.stride, facts.channels, f'{opened.description}, {facts.summary}')
