import pytest
import torch
from mmengine.registry import DefaultScope
from mmpretrain.structures import DataSample
from torch.nn import functional as F

from mmssl_geo.models import NormLinearClsHead


@pytest.fixture
def head():
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):  # that of its loss, and of the configs that use it
        head = NormLinearClsHead(num_classes=7, in_channels=64)
        head.init_weights()
        yield head


def test_both_layers_start_near_zero(head):
    assert {name: tuple(p.shape) for name, p in head.named_parameters()} == {
        'fc.weight': (7, 64),
        'fc.bias': (7,),
        'norm.weight': (64,),
        'norm.bias': (64,),
    }
    for layer in (head.fc, head.norm):
        assert layer.weight.std().item() == pytest.approx(2e-5, rel=0.3) and layer.weight.abs().max() < 1e-4
        assert (layer.bias == 0).all()


def test_scores_are_linear_in_normalised_features(head):
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_()
    features = 3 + 2 * torch.randn(5, 64)
    centred = features - features.mean(dim=1, keepdim=True)
    normalised = centred / (centred.square().mean(dim=1, keepdim=True) + 1e-5).sqrt()
    expected = (normalised * head.norm.weight + head.norm.bias) @ head.fc.weight.T + head.fc.bias
    other = torch.randn(5, 64)
    assert torch.allclose(head((other, features)), expected, atol=1e-5)  # the last stage counts


def test_loss_is_computed_from_the_scores(head):
    samples = [DataSample().set_gt_label(label) for label in (0, 6, 3)]
    features = torch.randn(3, 64)
    loss = head.loss((features,), samples)['loss']
    assert torch.allclose(loss, F.cross_entropy(head((features,)), torch.tensor([0, 6, 3])))
