import math

import pytest
import torch

from mmssl_geo.evaluation import fit_logistic, fit_ridge


def standardised(features):
    return (features - features.mean(dim=0)) / features.std(dim=0, correction=0)


def test_ridge_of_one_feature_by_hand():
    """x = (-1, 1, -1, 1) has deviation 1, so the slope shrinks by 1 / (1 + ridge) and the bias is the mean target."""
    x = torch.tensor([[-1.0], [1.0], [-1.0], [1.0]])
    y = torch.tensor([[1.0], [5.0], [1.0], [5.0]])
    probe = fit_ridge(x, y, ridge=0.25)
    torch.testing.assert_close(probe(torch.tensor([[0.0], [1.0]])).flatten().tolist(), [3.0, 3 + 2 / 1.25])


def test_ridge_is_where_its_objective_has_no_slope():
    features, targets = torch.randn(60, 7).double() * torch.arange(1, 8) + 30, torch.randn(60, 2).double()
    probe = fit_ridge(features, targets, ridge=0.3)
    weight = (probe.weight * features.std(dim=0, correction=0)[:, None]).requires_grad_()
    bias = (probe.bias + features.mean(dim=0) @ probe.weight).requires_grad_()
    error = (standardised(features) @ weight + bias - targets).square().mean(dim=0).sum()
    (error + 0.3 * weight.square().sum()).backward()
    assert weight.grad.abs().max() < 1e-9 and bias.grad.abs().max() < 1e-9


def test_ridge_does_not_depend_on_scale_and_offset_of_the_features():
    features, targets = torch.randn(40, 5).double(), torch.randn(40, 2).double()
    moved = features * torch.tensor([0.1, 1.0, 10.0, 1e3, -2.0]) + torch.tensor([5.0, -1.0, 0.0, 9.0, 100.0])
    torch.testing.assert_close(fit_ridge(features, targets, 0.1)(features), fit_ridge(moved, targets, 0.1)(moved))


def test_logistic_of_two_points_by_hand():
    """Features -1 and 1, classes 0 and 1: slope s = w1 - w0 solves 1 / (1 + exp(s)) = decay * s / 2."""
    probe = fit_logistic(torch.tensor([[-1.0], [1.0]]), torch.tensor([0, 1]), 2, decay=0.2)
    slope = (probe.weight[0, 1] - probe.weight[0, 0]).item()
    assert 1 / (1 + math.exp(slope)) == pytest.approx(0.2 * slope / 2, abs=1e-6) and slope > 1


def test_logistic_is_where_its_objective_has_no_slope():
    features = torch.randn(80, 6).double() * torch.arange(1, 7) - 4
    labels = torch.randint(4, (80,))
    probe = fit_logistic(features, labels, 4, decay=0.05)
    weight = (probe.weight * features.std(dim=0, correction=0)[:, None]).requires_grad_()
    bias = (probe.bias + features.mean(dim=0) @ probe.weight).requires_grad_()
    loss = torch.nn.functional.cross_entropy(standardised(features) @ weight + bias, labels)
    (loss + 0.025 * weight.square().sum()).backward()
    assert weight.grad.abs().max() < 1e-5 and bias.grad.abs().max() < 1e-5
    again = fit_logistic(features, labels, 4, decay=0.05)
    assert torch.equal(probe.weight, again.weight) and torch.equal(probe.bias, again.bias)


@pytest.mark.parametrize(
    'fit',
    [
        lambda features: fit_ridge(features, torch.arange(20.0)[:, None], 0.1),
        lambda features: fit_logistic(features, torch.arange(20) % 2, 2, 0.1),
    ],
)
def test_a_feature_that_does_not_vary_is_left_out(fit):
    features = torch.randn(20, 3)
    features[:, 1] = 0.1 + 1e-8 * torch.randn(20)
    probe = fit(features)
    assert (probe.weight[1] == 0).all() and (probe.weight[[0, 2]] != 0).all()
    assert torch.isfinite(probe.bias).all()


def test_a_feature_that_hardly_varies_does_not_drown_the_others():
    """A ReLU that one sample of the fitting half just opens, and others widely later."""
    features, targets = torch.randn(60, 20).relu(), torch.randn(60, 2)
    features[:, 0] = 0.0
    features[0, 0] = 1e-6
    predictions = fit_ridge(features, targets, 1.0)(torch.randn(200, 20).relu())
    assert predictions.abs().max() < 10


def test_logistic_works_where_gradients_are_switched_off():
    with torch.no_grad():
        probe = fit_logistic(torch.tensor([[-1.0], [1.0]]), torch.tensor([0, 1]), 2, 0.1)
    assert probe.weight.abs().min() > 0 and not probe.weight.requires_grad
