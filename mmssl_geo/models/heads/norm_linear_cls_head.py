"""A linear classifier behind a LayerNorm of its own."""
from mmpretrain.models import LinearClsHead
from torch import nn

from mmssl_geo.registry import MODELS


@MODELS.register_module()
class NormLinearClsHead(LinearClsHead):
    """LayerNorm, then a linear layer: GTSA's classifier for fine-tuning on iNaturalist 2019 (official code).

    As there, the weights of both start near zero (truncated normal, deviation 2e-5), their biases at zero.

    Args:
        num_classes: number of classes.
        in_channels: width of the pooled features.
        init_cfg: as mmengine takes it.
        **kwargs: as `mmpretrain.LinearClsHead` takes them (`loss`, `topk`, `cal_acc`).
    """

    def __init__(self, num_classes, in_channels,
                 init_cfg=dict(type='TruncNormal', layer=['LayerNorm', 'Linear'], std=2e-5), **kwargs):  # noqa: B006
        super().__init__(num_classes, in_channels, init_cfg=init_cfg, **kwargs)
        self.norm = nn.LayerNorm(in_channels)

    def pre_logits(self, feats):
        """Tuple of features `(N, C)`, the last of which counts -> `(N, C)`, normalised."""
        return self.norm(super().pre_logits(feats))
