"""Convolutional projector and predictor of GTSA."""
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import nn

from mmssl_geo.registry import MODELS


class _ConvBlock(nn.Module):
    """3x3 convolution, LayerNorm over channels without affine, GELU; with its input added if `residual`."""

    def __init__(self, in_channels, out_channels, residual):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.residual = residual and in_channels == out_channels

    def forward(self, x):
        out = self.conv(x).permute(0, 2, 3, 1)
        out = F.gelu(F.layer_norm(out, out.shape[-1:])).permute(0, 3, 1, 2)
        return out + x if self.residual else out


@MODELS.register_module()
class ConvProjector(BaseModule):
    """Maps to maps of the same size: some 3x3 blocks, then a 1x1 convolution (GTSA, official code).

    The projector has two residual blocks of the backbone's width; the predictor has one block without residual.
    Weights start normal with standard deviation 0.02, biases zero.

    Args:
        in_channels: width of the incoming maps.
        hidden_channels: width of the blocks; None takes `in_channels`.
        out_channels: width of the outgoing maps.
        num_blocks: number of 3x3 blocks.
        residual: whether a block adds its input (where the widths agree).
    """

    def __init__(self, in_channels, hidden_channels=None, out_channels=768, num_blocks=2, residual=True,
                 init_cfg=None):
        super().__init__(init_cfg or dict(type='Normal', layer='Conv2d', std=0.02, bias=0.))
        hidden_channels = hidden_channels or in_channels
        self.out_channels = out_channels
        self.blocks = nn.Sequential(*[
            _ConvBlock(hidden_channels if block else in_channels, hidden_channels, residual)
            for block in range(num_blocks)])
        self.proj = nn.Conv2d(hidden_channels, out_channels, 1)

    def forward(self, maps):
        """`(N, C_in, H, W)` -> `(N, C_out, H, W)`."""
        # A matrix product, not `self.proj(...)`: of maps that are channels last cuDNN and oneDNN give the gradient of
        # 1x1 weights in strides that are not the weights', of which DistributedDataParallel then warns.
        out = self.blocks(maps).permute(0, 2, 3, 1)
        return F.linear(out, self.proj.weight.flatten(1), self.proj.bias).permute(0, 3, 1, 2)
