"""Decorrelates the channels of features: the variance and covariance terms of VICReg."""

from torch import Tensor, nn

from mmssl_geo.registry import MODELS
from mmssl_geo.utils.checks import check_numbers


@MODELS.register_module()
class DecorrelationLoss(nn.Module):
    """Variance and covariance terms of VICReg (arXiv 2105.04906), on patch tokens.

    With few images and small batches, a student and its teacher agree most easily on features that use few directions.
    This loss makes every channel vary, and no two channels vary together.

    Args:
        covariance_weight: Weight of the covariance term relative to the variance term (VICReg's 1 to 25).
        eps: Added to the variance under the square root.
    """

    def __init__(self, covariance_weight: float = 0.04, eps: float = 1e-4) -> None:
        super().__init__()
        check_numbers('DecorrelationLoss', at_least=0, covariance_weight=covariance_weight)
        check_numbers('DecorrelationLoss', above=0, eps=eps)
        self.covariance_weight = covariance_weight
        self.eps = eps

    def forward(self, tokens: Tensor) -> Tensor:
        """Computes the loss of all tokens of a batch together.

        Args:
            tokens: Tokens of one process, shape (N, C), N at least 2.

        Returns:
            Scalar: the mean over channels of `max(0, 1 - deviation)`, plus the weighted sum of squared covariances
            between different channels over C.
        """
        centred = tokens - tokens.mean(dim=0)
        covariance = centred.T @ centred / (len(tokens) - 1)
        variance = covariance.diagonal()
        variance_term = (1 - (variance + self.eps).sqrt()).relu().mean()
        covariance_term = (covariance.square().sum() - variance.square().sum()) / len(variance)
        return variance_term + self.covariance_weight * covariance_term
