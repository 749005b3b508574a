"""Loss of D3SSL on the vectors of matching regions."""
import torch.nn.functional as F
from torch import nn

from mmssl_geo.registry import MODELS


@MODELS.register_module()
class RegionSimilarityLoss(nn.Module):
    """Minus twice the cosine of the student's prediction and the teacher's projection of a region (SoCo's code)."""

    def forward(self, predictions, projections):
        """Loss of every region.

        Args:
            predictions: `(M, D)` of the student.
            projections: `(M, D)` of the teacher, region by region the same objects.

        Returns:
            `(M,)`, each in [-2, 2].
        """
        return -2 * F.cosine_similarity(predictions, projections, dim=1)
