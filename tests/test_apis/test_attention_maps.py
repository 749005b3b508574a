import numpy as np
import pytest
import torch
from mmpretrain.models.utils.attention import scaled_dot_product_attention_pyimpl

from mmssl_geo import get_model
from mmssl_geo.apis import attention_maps
from mmssl_geo.apis.attention_maps import normalised
from mmssl_geo.utils.errors import UserError


@pytest.fixture(scope='module')
def net():
    return get_model('vitt16')


@pytest.fixture(scope='module')
def images():
    return torch.randn(2, 3, 50, 70, generator=torch.Generator().manual_seed(0))  # padded to 64 x 80


@pytest.fixture
def true_weights(net, images, monkeypatch):
    """Attention of every block as a plain forward pass computes it, shape (B, heads, N, N)."""
    found = []

    def attend(query, key, value, dropout_p=0.0):
        found.append((query @ key.mT / query.shape[-1] ** 0.5).softmax(-1))
        return scaled_dot_product_attention_pyimpl(query, key, value, dropout_p=dropout_p)

    for layer in net.layers:
        monkeypatch.setattr(layer.attn, 'scaled_dot_product_attention', attend)
    with torch.no_grad():
        net(images)
    return found


def test_attention_is_that_of_the_forward_pass(net, images, true_weights):
    maps = attention_maps(net, images, points=[(0, 0), (69, 49)])
    assert maps.shape == (2, 3, 3, 4, 5)
    expected = true_weights[-1][:, :, [0, 1, 20], 1:].transpose(1, 2).unflatten(-1, (4, 5))
    torch.testing.assert_close(maps, expected)
    assert (maps.sum((-2, -1)) < 1).all()


@pytest.mark.parametrize('block', [0, 3, -2])
def test_any_block(net, images, true_weights, block):
    torch.testing.assert_close(
        attention_maps(net, images, block=block)[:, 0], true_weights[block][:, :, 0, 1:].unflatten(-1, (4, 5))
    )


def test_the_network_is_left_as_it_was(net, images):
    before = len(net.layers[-1].attn._forward_pre_hooks)
    with pytest.raises(UserError):
        attention_maps(net, images[:, :2])  # refused by the network
    assert len(net.layers[-1].attn._forward_pre_hooks) == before


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(block=12), 'block 12: the network has 12 blocks'),
        (dict(block=-13), 'the network has 12 blocks'),
        (dict(points=[(70, 0)]), 'point 70, 0 lies outside the image, which has width 70 and height 50'),
        (dict(points=[(0, -1)]), 'lies outside'),
    ],
)
def test_wrong_arguments(net, images, options, message):
    with pytest.raises(UserError, match=message):
        attention_maps(net, images, **options)


def test_a_resnet_has_no_attention(images):
    with pytest.raises(UserError, match='need a vision transformer, got a SSLResNet'):
        attention_maps(get_model('r18'), images)


def test_normalised_images():
    pixels = normalised(np.full((2, 3, 3), [124, 116, 104], np.uint8))
    assert pixels.shape == (1, 3, 2, 3) and pixels.abs().max() < 0.02
