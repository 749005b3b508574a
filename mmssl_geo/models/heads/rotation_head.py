"""Rotation prediction: by which of four quarter turns a view was rotated."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmssl_geo.registry import MODELS
from mmssl_geo.utils.checks import check_counts
from mmssl_geo.utils.errors import UserError


@MODELS.register_module()
class RotationHead(BaseModule):
    """MLP on the mean of a view's tokens (GTSA, official code), with torch's default initialisation.

    Args:
        in_channels: Width of the backbone.
        hidden_channels: Widths of the three hidden layers.
        init_cfg: As in mmengine.
    """

    def __init__(
        self, in_channels: int, hidden_channels: Sequence[int] = (768, 768, 128), init_cfg: dict[str, Any] | None = None
    ) -> None:
        check_counts('RotationHead', in_channels=in_channels)
        if not isinstance(hidden_channels, list | tuple) or len(hidden_channels) != 3:
            raise UserError(f'RotationHead: hidden_channels must be three whole numbers, got {hidden_channels!r}')
        for channels in hidden_channels:
            check_counts('RotationHead', hidden_channels=channels)
        super().__init__(init_cfg)
        first, second, third = hidden_channels
        self.mlp = nn.Sequential(
            nn.Linear(in_channels, first),
            nn.LayerNorm(first),
            nn.GELU(),
            nn.Linear(first, second),
            nn.LayerNorm(second),
            nn.GELU(),
            nn.Linear(second, third),
            nn.LayerNorm(third),
            nn.Linear(third, 4),
        )

    def forward(self, *maps: Tensor) -> Tensor:
        """Predicts the logits of the four turns, shape (sum of N, 4), of one or more backbone maps (N, C, H, W)."""
        return self.mlp(torch.cat([of_kind.mean(dim=(2, 3)) for of_kind in maps]))

    def loss(self, maps: Sequence[Tensor], turns: Tensor) -> tuple[Tensor, Tensor]:
        """Computes the loss of every view and whether its rotation was predicted correctly.

        Args:
            maps: Backbone maps (N, C, H, W), which may differ in size.
            turns: Quarter turns of all views, in the order of the maps, shape (sum of N,).

        Returns:
            Cross-entropy and a bool for each view, both of shape (sum of N,).
        """
        logits = self(*maps)
        return F.cross_entropy(logits, turns, reduction='none'), logits.argmax(dim=1) == turns
