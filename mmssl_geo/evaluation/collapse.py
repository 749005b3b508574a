"""Measures of representation collapse."""

import torch
import torch.nn.functional as F
from torch import Tensor


def feature_spread(features: Tensor) -> Tensor:
    """Computes the spread of feature directions: 0 for identical directions, about 1 for an isotropic distribution.

    The spread is the standard deviation of the L2-normalised features, averaged over the channels and multiplied by
    the square root of the number of channels (SimSiam, arXiv 2011.10566).

    Args:
        features: Features, shape (N, C).

    Returns:
        The spread, a scalar.
    """
    return F.normalize(features, dim=1).std(dim=0, correction=0).mean() * features.shape[1] ** 0.5


def effective_rank(features: Tensor) -> Tensor:
    """Computes the exponential of the entropy of the covariance's normalised eigenvalues (Roy and Vetterli, 2007).

    Args:
        features: Features, shape (N, C).

    Returns:
        A scalar between 1 and min(N - 1, C), or 0 if all features are equal.
    """
    centred = (features - features.mean(dim=0)).double()
    gram = centred @ centred.T if len(features) < features.shape[1] else centred.T @ centred
    eigenvalues = torch.linalg.eigvalsh(gram).clamp(min=0)
    total = eigenvalues.sum()
    # Rounding leaves a trace proportional to the features' magnitude even if all are equal.
    if total <= 1e-12 * features.double().square().sum():
        return torch.zeros(())
    shares = eigenvalues / total
    return torch.exp(-torch.xlogy(shares, shares).sum())
