"""From maps of one stride to a pyramid, for detectors on plain vision transformers."""
import math

from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from torch import nn

from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError


@MODELS.register_module()
class ViTPyramid(BaseModule):
    """Brings maps of equal stride to different strides, map i by the factor `rescales[i]`.

    With the default factors and stride 16 the outputs have strides 4, 8, 16 and 32: transposed convolution,
    normalisation, GELU, transposed convolution; one transposed convolution; nothing; max-pooling (GTSA's detection
    protocol, the authors' code). Other powers of two follow the same rule (our choice). `mmseg.Feature2Pyramid` does
    as much for four fixed orders of factors; this one spares users of mmdet that package.

    Args:
        channels: channels C of every map, in and out.
        rescales: one power of two for each map, from the first to the last.
        norm_cfg: the normalisation between transposed convolutions; None: `BN`, which `sync_bn='torch'` in a config
            turns to `SyncBN` on several GPUs and which runs on a CPU, too.
        init_cfg: as mmengine takes it.

    Raises:
        UserError: a factor is no power of two.
    """

    def __init__(self, channels, rescales=(4, 2, 1, 0.5), norm_cfg=None, init_cfg=None):
        super().__init__(init_cfg=init_cfg)
        self.stages = nn.ModuleList(_make_stage(channels, factor, norm_cfg or dict(type='BN')) for factor in rescales)

    def forward(self, maps):
        """Maps `(B, C, H, W)`, one for each factor -> tuple of `(B, C, H * factor, W * factor)`, rounded down.

        Raises:
            ValueError: another number of maps than of factors.
        """
        if len(maps) != len(self.stages):
            raise ValueError(f'ViTPyramid has {len(self.stages)} rescales but got {len(maps)} maps')
        return tuple(stage(x) for stage, x in zip(self.stages, maps, strict=True))


def _make_stage(channels, factor, norm_cfg):
    exponent = math.log2(factor) if factor > 0 else math.nan
    if not exponent.is_integer():
        raise UserError(f'ViTPyramid: rescales must be powers of two (4, 2, 1, 0.5), got {factor}')
    if exponent == 0:
        return nn.Identity()
    if exponent < 0:
        return nn.MaxPool2d(kernel_size=int(1 / factor))
    layers = []
    for step in range(int(exponent)):
        if step > 0:
            layers += [build_norm_layer(norm_cfg, channels)[1], nn.GELU()]
        layers.append(nn.ConvTranspose2d(channels, channels, kernel_size=2, stride=2))
    return nn.Sequential(*layers)
