"""Rotation prediction: which of four quarter turns was made."""
import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import nn

from mmssl_geo.registry import MODELS


@MODELS.register_module()
class RotationHead(BaseModule):
    """MLP on the mean of a view's tokens (GTSA, official code); torch's default initialisation.

    Args:
        in_channels: width of the backbone.
        hidden_channels: widths of the three hidden layers.
    """

    def __init__(self, in_channels, hidden_channels=(768, 768, 128), init_cfg=None):
        super().__init__(init_cfg)
        first, second, third = hidden_channels
        self.mlp = nn.Sequential(
            nn.Linear(in_channels, first), nn.LayerNorm(first), nn.GELU(),
            nn.Linear(first, second), nn.LayerNorm(second), nn.GELU(),
            nn.Linear(second, third), nn.LayerNorm(third), nn.Linear(third, 4))

    def forward(self, *maps):
        """Logits `(sum of N, 4)` of the turns of backbone maps, one or more `(N, C, H, W)`."""
        return self.mlp(torch.cat([of_kind.mean(dim=(2, 3)) for of_kind in maps]))

    def loss(self, maps, turns):
        """Cross-entropy of every view and whether its turn was told right, both `(sum of N,)`.

        Args:
            maps: sequence of backbone maps `(N, C, H, W)`, which may differ in size.
            turns: quarter turns of all views, in the order of the maps.
        """
        logits = self(*maps)
        return F.cross_entropy(logits, turns, reduction='none'), logits.argmax(dim=1) == turns
