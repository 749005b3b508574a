"""Feature pyramid for detectors on plain vision transformers."""

import math
from collections.abc import Sequence
from typing import Any

from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmssl_geo.registry import MODELS
from mmssl_geo.utils.checks import check_counts
from mmssl_geo.utils.errors import UserError


@MODELS.register_module()
class ViTPyramid(BaseModule):
    """Rescales maps of equal stride to different strides, map i by the factor `rescales[i]`.

    With the default factors and stride 16 the outputs have strides 4, 8, 16 and 32, by: transposed convolution,
    normalisation, GELU, transposed convolution; one transposed convolution; identity; max-pooling (GTSA's detection
    protocol, the authors' code). Other powers of two follow the same rule (our choice). `mmseg.Feature2Pyramid` does
    the same for four fixed orders of factors; this class does not need that package.

    Args:
        channels: Channels of every map, input and output.
        rescales: Powers of two, one per map, from the first to the last.
        norm_cfg: Normalisation between transposed convolutions; None: `BN`, which `sync_bn='torch'` in a config
            converts to `SyncBN` on several GPUs and which also runs on a CPU.
        init_cfg: As in mmengine.

    Raises:
        UserError: If a factor is not a power of two.
    """

    def __init__(
        self,
        channels: int,
        rescales: Sequence[float] = (4, 2, 1, 0.5),
        norm_cfg: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        check_counts('ViTPyramid', channels=channels)
        super().__init__(init_cfg=init_cfg)
        self.stages = nn.ModuleList(_make_stage(channels, factor, norm_cfg or dict(type='BN')) for factor in rescales)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Rescales maps.

        Args:
            maps: One map per factor, shape (B, C, H, W).

        Returns:
            Maps of shape (B, C, H * factor, W * factor), rounded down.

        Raises:
            ValueError: If the number of maps differs from the number of factors.
        """
        if len(maps) != len(self.stages):
            raise ValueError(f'ViTPyramid has {len(self.stages)} rescales but got {len(maps)} maps')
        return tuple(stage(x) for stage, x in zip(self.stages, maps, strict=True))


def _make_stage(channels: int, factor: float, norm_cfg: dict[str, Any]) -> nn.Module:
    exponent = math.log2(factor) if factor > 0 else math.nan
    if not exponent.is_integer():
        raise UserError(f'ViTPyramid: rescales must be powers of two (4, 2, 1, 0.5), got {factor}')
    if exponent == 0:
        return nn.Identity()
    if exponent < 0:
        return nn.MaxPool2d(kernel_size=int(1 / factor))
    layers: list[nn.Module] = []
    for step in range(int(exponent)):
        if step > 0:
            layers += [build_norm_layer(norm_cfg, channels)[1], nn.GELU()]
        layers.append(nn.ConvTranspose2d(channels, channels, kernel_size=2, stride=2))
    return nn.Sequential(*layers)
