"""A linear classifier preceded by a LayerNorm."""

from collections.abc import Sequence
from typing import Any

from mmpretrain.models import LinearClsHead
from torch import Tensor, nn

from mmssl_geo.registry import MODELS


@MODELS.register_module()
class NormLinearClsHead(LinearClsHead):
    """LayerNorm, then a linear layer: GTSA's classifier for fine-tuning on iNaturalist 2019 (official code).

    As there, the weights of both start near zero (truncated normal, deviation 2e-5), their biases at zero.

    Args:
        num_classes: Number of classes.
        in_channels: Width of the pooled features.
        init_cfg: As in mmengine; None: the initialisation above.
        **kwargs: Further arguments of `mmpretrain.LinearClsHead` (`loss`, `topk`, `cal_acc`).
    """

    def __init__(
        self, num_classes: int, in_channels: int, init_cfg: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        init_cfg = init_cfg or dict(type='TruncNormal', layer=['LayerNorm', 'Linear'], std=2e-5)
        super().__init__(num_classes, in_channels, init_cfg=init_cfg, **kwargs)
        self.norm = nn.LayerNorm(in_channels)

    def pre_logits(self, feats: Sequence[Tensor]) -> Tensor:
        """Normalises the last of the features, shape (N, C)."""
        return self.norm(super().pre_logits(feats))
