"""Linear probes on frozen features: ridge and multinomial logistic regression, solved to the optimum."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

LBFGS_ITERATIONS = 500
# One fixed penalty would favour nets with few or with many channels, so the best one is selected (our choice).
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)


class LinearProbe(NamedTuple):
    """The linear function `features @ weight + bias`, in float64.

    Attributes:
        weight: Shape (C, K).
        bias: Shape (K,).
    """

    weight: Tensor
    bias: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """Maps features, shape (N, C), to outputs, shape (N, K)."""
        return features.double() @ self.weight + self.bias


def fit_ridge(features: Tensor, targets: Tensor, ridge: float) -> LinearProbe:
    """Minimises the mean squared error plus `ridge` times the squared weights of the standardised features.

    Every feature is centred and scaled to standard deviation 1; constant features are ignored. The bias is not
    penalised. The solution is computed in closed form, in float64.

    Args:
        features: Features, not standardised, shape (N, C).
        targets: Targets, shape (N, K).
        ridge: Weight of the penalty, above 0.

    Returns:
        A probe for features that are not standardised.
    """
    mean, scale = _standardisation(features)
    standard = (features.double() - mean) * scale
    offset = targets.double().mean(dim=0)
    gram = standard.T @ standard / len(standard)
    gram.diagonal().add_(ridge)
    products = standard.T @ (targets.double() - offset) / len(standard)
    weight = torch.cholesky_solve(products, torch.linalg.cholesky(gram))
    return _for_raw_features(weight, offset, mean, scale)


def fit_logistic(features: Tensor, labels: Tensor, num_classes: int, decay: float) -> LinearProbe:
    """Minimises the mean cross-entropy plus `decay / 2` times the squared weights of the standardised features.

    Every feature is centred and scaled to standard deviation 1; constant features are ignored. The bias is not
    penalised. L-BFGS starts at zero, in float64, so no random numbers are used.

    Args:
        features: Features, not standardised, shape (N, C).
        labels: Class indices, shape (N,).
        num_classes: Number of classes K.
        decay: Weight of the penalty.

    Returns:
        A probe that computes class scores of features that are not standardised.
    """
    mean, scale = _standardisation(features)
    standard = (features.double() - mean) * scale
    weight = standard.new_zeros(standard.shape[1], num_classes, requires_grad=True)
    bias = standard.new_zeros(num_classes, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=LBFGS_ITERATIONS,
        tolerance_grad=1e-6,
        tolerance_change=1e-10,
        line_search_fn='strong_wolfe',
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(standard @ weight + bias, labels) + decay / 2 * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return _for_raw_features(weight.detach(), bias.detach(), mean, scale)


def fit_with_best_penalty(
    fit: Callable[[Tensor, float], LinearProbe],
    loss: Callable[[LinearProbe, Tensor], float],
    train: Tensor,
    penalties: Sequence[float] = PENALTIES,
) -> LinearProbe:
    """Fits a probe to all training samples, with the penalty that is best on held-out samples.

    Every second sample is used to fit a candidate for each penalty, and the others are held out.

    Args:
        fit: Fits a probe to the samples with the given indices, with the given penalty.
        loss: Computes the loss of a probe on the samples with the given indices.
        train: Indices of the training samples, at least two.
        penalties: Candidates.
    """
    best = min(penalties, key=lambda penalty: loss(fit(train[::2], penalty), train[1::2]))
    return fit(train, best)


def _standardisation(features: Tensor) -> tuple[Tensor, Tensor]:
    """Computes the mean and the inverse standard deviation of each feature; 0 for constant features.

    A feature that hardly varies, such as a ReLU that is active for one sample only, would dominate new samples if it
    were scaled like the others. The standard deviation is therefore at least a hundredth of the median (our choice).
    """
    features = features.double()
    mean, deviation = features.mean(dim=0), features.std(dim=0, correction=0)
    varies = deviation > 1e-6 * features.abs().amax(dim=0)
    if not varies.any():
        return mean, torch.zeros_like(mean)
    floor = 0.01 * deviation[varies].median()
    return mean, torch.where(varies, 1 / deviation.clamp(min=floor), 0.0)


def _for_raw_features(weight: Tensor, bias: Tensor, mean: Tensor, scale: Tensor) -> LinearProbe:
    weight = weight * scale[:, None]
    return LinearProbe(weight, bias - mean @ weight)
