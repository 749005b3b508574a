"""From [CLS] to scores of prototypes."""
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError


@MODELS.register_module()
class DINONeck(BaseModule):
    """MLP of three layers on [CLS], L2 normalisation, then the cosine with every prototype (DINO, official code).

    The MLP's weights start truncated normal of deviation 0.02, its biases 0; the prototypes start as torch's linear
    layers do. They are normalised to the magnitude that `last_layer.parametrizations.weight.original0` holds: 1.

    Args:
        in_channels: width of the backbone.
        hidden_channels: width of the MLP's two hidden layers.
        bottleneck_channels: width in which the prototypes lie.
        num_prototypes: how many there are.
        norm_last_layer: whether their magnitude stays 1; if not, it is learnt.

    Raises:
        UserError: if a width or the number of prototypes is no positive whole number.
    """

    def __init__(self, in_channels, hidden_channels=2048, bottleneck_channels=256, num_prototypes=65536,
                 norm_last_layer=True, init_cfg=None):
        super().__init__(init_cfg)
        for key, value in dict(in_channels=in_channels, hidden_channels=hidden_channels,
                               bottleneck_channels=bottleneck_channels, num_prototypes=num_prototypes).items():
            if not isinstance(value, int) or value < 1:
                raise UserError(f'model.neck.{key} must be a positive whole number, got {value!r}')
        self.out_channels = num_prototypes
        self.mlp = nn.Sequential(
            nn.Linear(in_channels, hidden_channels), nn.GELU(),
            nn.Linear(hidden_channels, hidden_channels), nn.GELU(),
            nn.Linear(hidden_channels, bottleneck_channels))
        self.last_layer = weight_norm(nn.Linear(bottleneck_channels, num_prototypes, bias=False))
        magnitude = self.last_layer.parametrizations.weight.original0
        nn.init.ones_(magnitude)
        magnitude.requires_grad_(not norm_last_layer)

    def init_weights(self):
        """Initialises the MLP; the prototypes are set when they are made."""
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=.02)
                nn.init.zeros_(layer.bias)
        self._is_init = True

    def forward(self, tokens):
        """Tokens `(N, 1 + L, C)`, [CLS] first -> scores `(N, num_prototypes)`."""
        return self.last_layer(F.normalize(self.mlp(tokens[:, 0]), dim=-1))
