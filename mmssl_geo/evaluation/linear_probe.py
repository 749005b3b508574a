"""Linear probes on frozen features: ridge regression and multinomial logistic regression, solved to the optimum."""
from typing import NamedTuple

import torch
import torch.nn.functional as F

LBFGS_STEPS = 500


class LinearProbe(NamedTuple):
    """`features @ weight + bias`, in float64.

    weight is `(C, K)`, bias `(K,)`.
    """
    weight: torch.Tensor
    bias: torch.Tensor

    def __call__(self, features):
        """`(N, K)` of features `(N, C)`."""
        return features.double() @ self.weight + self.bias


def fit_ridge(features, targets, ridge):
    """Minimises the mean squared error plus `ridge` times the squared weights of standardised features.

    Every feature is centred and scaled to deviation 1 first; one that does not vary is left out. The bias is not
    penalised. Solved in closed form, in float64.

    Args:
        features: `(N, C)`.
        targets: `(N, K)`.
        ridge: weight of the penalty, above 0.

    Returns:
        LinearProbe: takes the features as they are, not standardised.
    """
    mean, scale = _moments(features)
    standard = (features.double() - mean) * scale
    offset = targets.double().mean(dim=0)
    gram = standard.T @ standard / len(standard)
    gram.diagonal().add_(ridge)
    products = standard.T @ (targets.double() - offset) / len(standard)
    weight = torch.cholesky_solve(products, torch.linalg.cholesky(gram))
    return _for_raw_features(weight, offset, mean, scale)


def fit_logistic(features, labels, num_classes, decay):
    """Minimises the mean cross-entropy plus `decay / 2` times the squared weights of standardised features.

    Every feature is centred and scaled to deviation 1 first; one that does not vary is left out. The bias is not
    penalised. Solved by L-BFGS from zero, in float64: no random numbers.

    Args:
        features: `(N, C)`.
        labels: `(N,)` class numbers.
        num_classes: K.
        decay: weight of the penalty.

    Returns:
        LinearProbe: class scores of features as they are, not standardised.
    """
    mean, scale = _moments(features)
    standard = (features.double() - mean) * scale
    weight = standard.new_zeros(standard.shape[1], num_classes, requires_grad=True)
    bias = standard.new_zeros(num_classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=LBFGS_STEPS, tolerance_grad=1e-6, tolerance_change=1e-10,
                                  line_search_fn='strong_wolfe')

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(standard @ weight + bias, labels) + decay / 2 * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return _for_raw_features(weight.detach(), bias.detach(), mean, scale)


def _moments(features):
    """Mean and one over the deviation of each feature; 0 for one that does not vary beyond rounding.

    A feature that hardly varies, such as a ReLU that one sample just opens, is not scaled up to the others: what it
    does on new samples would drown them (our choice: no deviation counts as less than a hundredth of the median).
    """
    features = features.double()
    mean, deviation = features.mean(dim=0), features.std(dim=0, correction=0)
    varies = deviation > 1e-6 * features.abs().amax(dim=0)
    if not varies.any():
        return mean, torch.zeros_like(mean)
    floor = 0.01 * deviation[varies].median()
    return mean, torch.where(varies, 1 / deviation.clamp(min=floor), 0.)


def _for_raw_features(weight, bias, mean, scale):
    weight = weight * scale[:, None]
    return LinearProbe(weight, bias - mean @ weight)
