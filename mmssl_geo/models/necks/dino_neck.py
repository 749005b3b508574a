"""Projects [CLS] to scores of prototypes."""

from typing import Any

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from mmssl_geo.registry import MODELS
from mmssl_geo.utils.checks import check_counts


@MODELS.register_module()
class DINONeck(BaseModule):
    """MLP of three layers on [CLS], L2 normalisation, then the cosine with every prototype (DINO, official code).

    The MLP's weights are initialised truncated normal of deviation 0.02, its biases 0, the prototypes as torch's
    linear layers. The prototypes are normalised to the magnitude in `last_layer.parametrizations.weight.original0`: 1.

    Args:
        in_channels: Width of the backbone.
        hidden_channels: Width of the MLP's two hidden layers.
        bottleneck_channels: Width of the prototypes.
        num_prototypes: Number of prototypes.
        norm_last_layer: Whether the prototypes' magnitude stays 1; otherwise it is learnt.
        init_cfg: As in mmengine.

    Raises:
        UserError: If a width or the number of prototypes is not a positive integer.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 2048,
        bottleneck_channels: int = 256,
        num_prototypes: int = 65536,
        norm_last_layer: bool = True,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        check_counts(
            'DINONeck',
            in_channels=in_channels,
            hidden_channels=hidden_channels,
            bottleneck_channels=bottleneck_channels,
            num_prototypes=num_prototypes,
        )
        self.out_channels = num_prototypes
        self.mlp = nn.Sequential(
            nn.Linear(in_channels, hidden_channels),
            nn.GELU(),
            nn.Linear(hidden_channels, hidden_channels),
            nn.GELU(),
            nn.Linear(hidden_channels, bottleneck_channels),
        )
        self.last_layer = weight_norm(nn.Linear(bottleneck_channels, num_prototypes, bias=False))
        magnitude = self.last_layer.parametrizations.weight.original0
        nn.init.ones_(magnitude)
        magnitude.requires_grad_(not norm_last_layer)

    def init_weights(self) -> None:
        """Initialises the MLP; the constructor has initialised the prototypes."""
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)
        self._is_init = True

    def forward(self, tokens: Tensor) -> Tensor:
        """Scores tokens of shape (N, 1 + L, C), [CLS] first; returns shape (N, num_prototypes)."""
        return self.last_layer(F.normalize(self.mlp(tokens[:, 0]), dim=-1))
