"""Convolutional projector and predictor of GTSA."""

from typing import Any

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmssl_geo.registry import MODELS
from mmssl_geo.utils.checks import check_counts


class _ConvBlock(nn.Module):
    """3x3 convolution, LayerNorm over channels without affine, GELU; adds its input if `residual`."""

    def __init__(self, in_channels: int, out_channels: int, residual: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.residual = residual and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv(x).permute(0, 2, 3, 1)
        out = F.gelu(F.layer_norm(out, out.shape[-1:])).permute(0, 3, 1, 2)
        return out + x if self.residual else out


@MODELS.register_module()
class ConvProjector(BaseModule):
    """3x3 blocks, then a 1x1 convolution, on maps whose size stays (GTSA, official code).

    The projector has two residual blocks of the backbone's width; the predictor has one block without residual.
    Weights are initialised normal with standard deviation 0.02, biases zero.

    Args:
        in_channels: Channels of the input maps.
        hidden_channels: Channels of the blocks; None: `in_channels`.
        out_channels: Channels of the output maps.
        num_blocks: Number of 3x3 blocks.
        residual: Whether a block adds its input (where the widths agree).
        init_cfg: As in mmengine; None: the initialisation above.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int | None = None,
        out_channels: int = 768,
        num_blocks: int = 2,
        residual: bool = True,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        hidden_channels = in_channels if hidden_channels is None else hidden_channels
        check_counts(
            'ConvProjector', in_channels=in_channels, hidden_channels=hidden_channels, out_channels=out_channels
        )
        check_counts('ConvProjector', at_least=0, num_blocks=num_blocks)
        super().__init__(init_cfg or dict(type='Normal', layer='Conv2d', std=0.02, bias=0.0))
        self.out_channels = out_channels
        self.blocks = nn.Sequential(
            *[
                _ConvBlock(hidden_channels if block else in_channels, hidden_channels, residual)
                for block in range(num_blocks)
            ]
        )
        self.proj = nn.Conv2d(hidden_channels, out_channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Projects maps of shape (N, C_in, H, W) to (N, C_out, H, W)."""
        # A matrix product instead of `self.proj(...)`: for channels-last maps, cuDNN and oneDNN return the gradient of
        # 1x1 weights with other strides than the weights', and DistributedDataParallel warns of it.
        out = self.blocks(maps).permute(0, 2, 3, 1)
        return F.linear(out, self.proj.weight.flatten(1), self.proj.bias).permute(0, 3, 1, 2)
