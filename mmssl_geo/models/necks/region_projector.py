"""Projector and predictor of region vectors."""

from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmssl_geo.registry import MODELS
from mmssl_geo.utils.checks import check_counts


@MODELS.register_module()
class RegionProjector(BaseModule):
    """MLP of one hidden layer with BatchNorm and ReLU (BYOL; widths of SoCo's code), with torch's initialisation.

    Args:
        in_channels: Width of the input vectors.
        hidden_channels: Width of the hidden layer.
        out_channels: Width of the output vectors.
        init_cfg: As in mmengine.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 4096,
        out_channels: int = 256,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        check_counts(
            'RegionProjector', in_channels=in_channels, hidden_channels=hidden_channels, out_channels=out_channels
        )
        super().__init__(init_cfg)
        self.out_channels = out_channels
        self.mlp = nn.Sequential(
            nn.Linear(in_channels, hidden_channels),
            nn.BatchNorm1d(hidden_channels),
            nn.ReLU(inplace=True),
            nn.Linear(hidden_channels, out_channels),
        )

    def forward(self, vectors: Tensor) -> Tensor:
        """Projects vectors of shape (M, C_in) to (M, C_out); BatchNorm needs M >= 2 while training."""
        return self.mlp(vectors)
