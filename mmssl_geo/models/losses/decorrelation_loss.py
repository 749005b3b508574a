"""Keeps the channels of features apart: the variance and covariance terms of VICReg."""
from torch import nn

from mmssl_geo.registry import MODELS


@MODELS.register_module()
class DecorrelationLoss(nn.Module):
    """Variance and covariance terms of VICReg (arXiv 2105.04906), on patch tokens.

    With few images and small batches a student and its teacher agree most easily on features that use few directions;
    this loss asks every channel to vary, and no two channels to vary together.

    Args:
        covariance_weight: weight of the covariance term beside the variance term (VICReg's 1 to 25).
        eps: added to the variance under the square root.
    """

    def __init__(self, covariance_weight=0.04, eps=1e-4):
        super().__init__()
        self.covariance_weight = covariance_weight
        self.eps = eps

    def forward(self, tokens):
        """Loss of all tokens of a batch together.

        Args:
            tokens: `(N, C)`, N at least 2; the statistics are those of one process.

        Returns:
            A scalar: mean over channels of `max(0, 1 - deviation)`, plus the weighted sum of squared covariances
            between different channels over C.
        """
        centred = tokens - tokens.mean(dim=0)
        covariance = centred.T @ centred / (len(tokens) - 1)
        variance = covariance.diagonal()
        spread = (1 - (variance + self.eps).sqrt()).relu().mean()
        between = (covariance.square().sum() - variance.square().sum()) / len(variance)
        return spread + self.covariance_weight * between
