"""From a region's vector to its projection, and from a projection to a prediction."""
from mmengine.model import BaseModule
from torch import nn

from mmssl_geo.registry import MODELS


@MODELS.register_module()
class RegionProjector(BaseModule):
    """MLP of one hidden layer with BatchNorm and ReLU (BYOL; widths of SoCo's code). Starts as torch's layers do.

    Args:
        in_channels: width of the incoming vectors.
        hidden_channels: width of the hidden layer.
        out_channels: width of the outgoing vectors.
    """

    def __init__(self, in_channels, hidden_channels=4096, out_channels=256, init_cfg=None):
        super().__init__(init_cfg)
        self.out_channels = out_channels
        self.mlp = nn.Sequential(
            nn.Linear(in_channels, hidden_channels), nn.BatchNorm1d(hidden_channels), nn.ReLU(inplace=True),
            nn.Linear(hidden_channels, out_channels))

    def forward(self, vectors):
        """`(M, C_in)` -> `(M, C_out)`; M >= 2 while training, for the BatchNorm."""
        return self.mlp(vectors)
