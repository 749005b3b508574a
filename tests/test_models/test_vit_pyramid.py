import pytest
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.registry import DefaultScope
from torch import nn

from mmssl_geo.models import ViTPyramid
from mmssl_geo.utils.errors import UserError


@pytest.mark.parametrize('rescales, sides', [((4, 2, 1, 0.5), [24, 12, 6, 3]), ((0.25, 8, 1), [1, 48, 6])])
def test_sizes(rescales, sides):
    pyramid = ViTPyramid(8, rescales)
    outs = pyramid([torch.randn(2, 8, 6, 6) for _ in rescales])
    assert [tuple(x.shape) for x in outs] == [(2, 8, side, side) for side in sides]


def test_stages_follow_the_protocol():
    stages = ViTPyramid(8, norm_cfg=dict(type='BN')).stages
    up = nn.ConvTranspose2d
    assert [type(layer) for layer in stages[0]] == [up, nn.BatchNorm2d, nn.GELU, up]
    assert [type(layer) for layer in stages[1]] == [up]
    maps = [torch.randn(1, 8, 6, 4) for _ in range(4)]
    outs = ViTPyramid(8)(maps)
    assert torch.equal(outs[2], maps[2])
    assert torch.equal(outs[3], F.max_pool2d(maps[3], 2))


def test_norm_cfg_is_used():
    assert isinstance(ViTPyramid(8, norm_cfg=dict(type='GN', num_groups=2)).stages[0][1], nn.GroupNorm)


@pytest.mark.parametrize('factor', [3, 0, -2])
def test_other_factors_are_refused(factor):
    with pytest.raises(UserError, match=f'powers of two .*, got {factor}'):
        ViTPyramid(8, (factor,))


def test_number_of_maps_is_checked():
    with pytest.raises(ValueError, match='4 rescales but got 3 maps'):
        ViTPyramid(8)([torch.zeros(1, 8, 2, 2)] * 3)


def test_pyramid_before_the_fpn_of_mmdet():
    with DefaultScope.overwrite_default_scope('mmdet'):
        neck = MODELS.build(
            [
                dict(type='mmssl_geo.ViTPyramid', channels=8),
                dict(type='FPN', in_channels=[8] * 4, out_channels=16, num_outs=5),
            ]
        )
    outs = neck([torch.randn(1, 8, 6, 6)] * 4)
    assert [x.shape[-1] for x in outs] == [24, 12, 6, 3, 2]
    assert all(x.shape[1] == 16 for x in outs)
