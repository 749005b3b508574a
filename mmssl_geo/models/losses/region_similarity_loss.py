"""Loss of D3SSL on the vectors of matching regions."""

import torch.nn.functional as F
from torch import Tensor, nn

from mmssl_geo.registry import MODELS


@MODELS.register_module()
class RegionSimilarityLoss(nn.Module):
    """Minus twice the cosine between the student's prediction and the teacher's projection (SoCo's code)."""

    def forward(self, predictions: Tensor, projections: Tensor) -> Tensor:
        """Computes the loss of every region.

        Args:
            predictions: Vectors of the student, shape (M, D).
            projections: Vectors of the teacher, shape (M, D), the same objects in the same order.

        Returns:
            Losses in [-2, 2], shape (M,).
        """
        return -2 * F.cosine_similarity(predictions, projections, dim=1)
