import pytest
import torch

from mmssl_geo.evaluation import effective_rank, feature_spread


def test_spread_of_equal_and_of_isotropic_features():
    assert feature_spread(torch.ones(10, 4)) == pytest.approx(0, abs=1e-6)
    assert feature_spread(torch.randn(20000, 16)) == pytest.approx(1, abs=0.01)
    features = torch.randn(100, 8)
    torch.testing.assert_close(feature_spread(features), feature_spread(3 * features))


@pytest.mark.parametrize('num', [6, 400])
def test_effective_rank_of_known_covariances(num):
    """Features on k orthogonal axes, equally strong, have rank k; fewer features than channels included."""
    k = 3
    signs = torch.tensor([[1.0, -1.0]]).repeat(k, num // (2 * k)).view(k, -1)
    blocks = torch.block_diag(*[row[:, None] for row in signs])
    features = torch.cat([blocks, torch.zeros(len(blocks), 20)], dim=1) + 5
    assert effective_rank(features).item() == pytest.approx(k, abs=1e-4)


def test_effective_rank_of_a_line_and_of_a_point():
    line = torch.linspace(0, 1, 50)[:, None] * torch.randn(1, 12)
    assert effective_rank(line).item() == pytest.approx(1, abs=1e-4)
    assert effective_rank(torch.ones(50, 12)) == 0
