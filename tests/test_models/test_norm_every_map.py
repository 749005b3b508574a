"""The final LayerNorm on every output map of a vision transformer."""

import pytest
import torch
from torch.nn import functional as F

from mmssl_geo.models import SSLVisionTransformer
from mmssl_geo.utils.errors import UserError

ARCH = dict(embed_dims=32, num_layers=4, num_heads=2, feedforward_channels=64)
IMAGES = (2, 3, 48, 64)


def make(**kwargs):
    torch.manual_seed(0)
    vit = SSLVisionTransformer(**{**dict(arch=ARCH, img_size=32, out_type='featmap'), **kwargs})
    vit.init_weights()
    with torch.no_grad():
        for name in ('ln1', 'ln2'):
            for layer in (vit, *vit.layers):
                if hasattr(layer, name):
                    getattr(layer, name).weight.uniform_(0.5, 2)
                    getattr(layer, name).bias.normal_()
    vit.eval()
    return vit


@pytest.mark.parametrize('out_indices', [[0, 2, 3], [3, 1], [0, 1]])
def test_every_map_is_normalised_once_by_the_same_layer(out_indices):
    vit, plain = make(out_indices=out_indices, norm_every_map=True), make(out_indices=out_indices, final_norm=False)
    plain.load_state_dict({key: value for key, value in vit.state_dict().items() if not key.startswith('ln1')})
    images = torch.randn(IMAGES)
    with torch.no_grad():
        maps, raw = vit(images), plain(images)
    assert len(maps) == len(out_indices)
    for x, y in zip(maps, raw, strict=True):
        expected = F.layer_norm(y.permute(0, 2, 3, 1), (32,), vit.ln1.weight, vit.ln1.bias, 1e-6).permute(0, 3, 1, 2)
        assert x.shape == (2, 32, 3, 4)
        assert torch.allclose(x, expected, atol=1e-5)
        assert not torch.allclose(x, y, atol=0.1)


def test_by_default_only_the_last_map_is_normalised():
    vit, every = make(out_indices=[1, 3]), make(out_indices=[1, 3], norm_every_map=True)
    images = torch.randn(IMAGES)
    with torch.no_grad():
        (first, last), (normed, last_too) = vit(images), every(images)
    assert torch.equal(last, last_too) and not torch.allclose(first, normed, atol=0.1)


@pytest.mark.parametrize('wrong', [dict(final_norm=False), dict(out_type='cls_token')])
def test_unsupported_outputs_are_refused(wrong):
    with pytest.raises(UserError, match="norm_every_map needs out_type='featmap' and final_norm=True"):
        make(norm_every_map=True, **wrong)
