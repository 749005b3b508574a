"""Measures of collapse: do features still differ from each other?"""
import torch
import torch.nn.functional as F


def feature_spread(features):
    """Spread of directions: 0 if all features point the same way, about 1 if they fill the sphere evenly.

    The mean over channels of the standard deviation of the normalised features, times the square root of the
    number of channels (as SimSiam, arXiv 2011.10566, plots it).

    Args:
        features: `(N, C)`.

    Returns:
        A scalar tensor.
    """
    return F.normalize(features, dim=1).std(dim=0, correction=0).mean() * features.shape[1] ** 0.5


def effective_rank(features):
    """Exponential of the entropy of the covariance's normalised eigenvalues (Roy and Vetterli, 2007).

    Args:
        features: `(N, C)`.

    Returns:
        A scalar tensor between 1 and min(N - 1, C); 0 if all features are equal.
    """
    centred = (features - features.mean(dim=0)).double()
    gram = centred @ centred.T if len(features) < features.shape[1] else centred.T @ centred
    eigenvalues = torch.linalg.eigvalsh(gram).clamp(min=0)
    total = eigenvalues.sum()
    # Rounding leaves a trace of the features' own size even where all are equal.
    if total <= 1e-12 * features.double().square().sum():
        return torch.zeros(())
    shares = eigenvalues / total
    return torch.exp(-torch.xlogy(shares, shares).sum())
