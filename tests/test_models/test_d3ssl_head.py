"""Pairs and losses of D3SSL's head."""

import pytest
import torch
from torch import nn

from mmssl_geo.models import D3SSLHead, RegionSimilarityLoss
from mmssl_geo.registry import MODELS


def test_loss_of_known_vectors():
    predictions = torch.tensor([[3.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    projections = torch.tensor([[5.0, 0.0], [1.0, 0.0], [-2.0, -2.0]])
    torch.testing.assert_close(RegionSimilarityLoss()(predictions, projections), torch.tensor([-2.0, 0.0, 2.0]))


class Identity(nn.Module):
    def forward(self, x):
        return x


@pytest.fixture
def head(monkeypatch):
    """A head whose predictor is the identity."""
    monkeypatch.setattr(MODELS, 'build', lambda cfg: cfg)

    def make(**weights):
        return D3SSLHead(Identity(), RegionSimilarityLoss(), **weights)

    return make


def along(cosine, length=1.0):
    """Two regions whose cosine with (1, 0) is `cosine`."""
    return length * torch.tensor([[cosine, (1 - cosine**2) ** 0.5]] * 2)


def test_pairs_of_views_and_their_sum(head):
    """x1_cut is compared with x2 only, x2_small with x1 only, x3 with both."""
    targets = dict(x1=torch.tensor([[0.0, 1.0]] * 2), x2=torch.tensor([[1.0, 0.0]] * 2))
    predictions = dict(x1_cut=along(0.6, 3.0), x2_small=along(0.8, 7.0), x3=along(0.28))
    losses = head().loss(predictions, targets)
    assert losses['loss_dc'].item() == pytest.approx(-2 * (0.6 + 0.6))  # sine of x2_small is 0.6
    assert losses['loss_dp'].item() == pytest.approx(-2 * (0.28 + 0.96))
    assert losses['cosine_dc'].item() == pytest.approx(0.6)
    assert losses['cosine_dp'].item() == pytest.approx(0.62)


def test_weights_scale_the_losses_and_not_the_cosines(head):
    targets = dict(x1=along(1.0), x2=along(1.0))
    predictions = {name: along(0.5) for name in ('x1_cut', 'x2_small', 'x3')}
    losses = head(dc_weight=3.0, dp_weight=0.25).loss(predictions, targets)
    assert losses['loss_dc'].item() == pytest.approx(-6.0)
    assert losses['loss_dp'].item() == pytest.approx(-0.5)
    assert losses['cosine_dc'].item() == losses['cosine_dp'].item() == pytest.approx(0.5)


def test_half_precision_vectors_are_compared_in_float32(head):
    targets = {name: torch.full((2, 256), 200.0, dtype=torch.float16) for name in ('x1', 'x2')}
    losses = head().loss(dict(x1_cut=targets['x2'], x2_small=targets['x1']), targets)  # 200^2 x 256 overflows float16
    assert losses['loss_dc'].dtype == torch.float32 and losses['loss_dc'].item() == pytest.approx(-4.0)
