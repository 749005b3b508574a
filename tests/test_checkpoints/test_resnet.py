import pytest
import torch
import torchvision
from mmengine.config import Config

from mmssl_geo.checkpoints.resnet import read_resnet_spec, resnet_shapes
from mmssl_geo.utils.errors import UserError
from tests.support import checkpoints as make


def weights(name='resnet18'):
    """Zeros in the shapes of a torchvision net, without its classifier."""
    with torch.device('meta'):
        state = make.without_classifier(getattr(torchvision.models, name)())
    return {key: torch.zeros((), dtype=value.dtype).expand(value.shape) for key, value in state.items()}


def spec_of(state, meta=None):
    return read_resnet_spec(state, {name: f'file.{name}' for name in state}, meta)


def config(**backbone):
    return dict(cfg=Config(dict(model=dict(type='DINO', backbone=dict(type='SSLResNet', **backbone)))).pretty_text)


@pytest.mark.parametrize('depth, channels', [(18, 512), (34, 512), (50, 2048), (101, 2048), (152, 2048)])
def test_spec_and_shapes(depth, channels):
    state = weights(f'resnet{depth}')
    spec = spec_of(state)
    assert (spec.depth, spec.channels, spec.stride) == (depth, channels, 32)
    assert spec.meta == dict(depth=depth, in_channels=3, stem_channels=64, base_channels=64)
    assert resnet_shapes(spec) == {key: tuple(value.shape) for key, value in state.items()}


def test_widths():
    net = make.package_resnet('mmpretrain', 0, 50, in_channels=1, stem_channels=12, base_channels=8)
    spec = spec_of(net.state_dict())
    assert spec.meta == dict(depth=50, in_channels=1, stem_channels=12, base_channels=8) and spec.channels == 256


@pytest.mark.parametrize('name', ['wide_resnet50_2', 'resnext50_32x4d'])
def test_other_variants_are_refused(name):
    with pytest.raises(UserError, match=r'file\.layer\d\..* has shape .*, but a ResNet-50 of base width'):
        spec_of(weights(name))


@pytest.mark.parametrize(
    'key, value',
    [
        ('layer3.1.bn2.running_mean', float('nan')),
        ('layer2.0.downsample.1.running_var', float('inf')),
        ('layer4.0.conv1.weight', float('nan')),
    ],
)
def test_broken_values_are_named_as_in_the_file(key, value):
    state = weights()
    state[key] = state[key].clone()
    state[key].view(-1)[-1] = value  # one of many
    with pytest.raises(UserError, match=rf'^file\.{key} .*NaN or Inf'):
        spec_of(state)


def test_integers_and_negative_variances_are_named():
    state = weights()
    with pytest.raises(UserError, match=r'^file\.layer1\.0\.bn1\.bias has dtype torch\.int8, .*floating-point'):
        spec_of({**state, 'layer1.0.bn1.bias': torch.zeros(64, dtype=torch.int8)})
    below = torch.ones(64)
    below[9] = -1e-3
    spec_of({**state, 'layer1.0.bn1.running_mean': below})
    with pytest.raises(UserError, match=r'^file\.layer1\.0\.bn1\.running_var has negative variances'):
        spec_of({**state, 'layer1.0.bn1.running_var': below})


def test_shapes_that_do_not_fit():
    for key, shape in (
        ('layer2.1.bn1.running_var', (127,)),
        ('layer4.1.conv2.weight', (512, 512, 1, 1)),
        ('bn1.num_batches_tracked', (1,)),
        ('layer1.0.conv1.weight', (64,)),
        ('conv1.weight', ()),
    ):
        with pytest.raises(UserError, match=rf'file\.{key} has shape'):
            spec_of({**weights(), key: torch.zeros(shape)})


def test_unknown_depth():
    state = {key: value for key, value in weights().items() if not key.startswith('layer2.1.')}
    with pytest.raises(UserError, match=r'2-1-2-2 basic blocks .*18, 34, 50, 101, 152 layers'):
        spec_of(state)


@pytest.mark.parametrize('option, value', [('style', 'caffe'), ('strides', (1, 2, 2, 1)), ('dilations', (1, 1, 1, 2))])
def test_options_that_the_weights_do_not_show(option, value):
    with pytest.raises(UserError, match=f'meta has backbone.{option}=.*only networks with {option}='):
        spec_of(weights(), config(**{option: value}))


@pytest.mark.parametrize(
    'meta',
    [
        None,
        {},
        dict(cfg='no python ('),
        config(style='pytorch', strides=(1, 2, 2, 2)),
        config(dilations=[1, 1, 1, 1], depth=18),
    ],
)
def test_standard_options(meta):
    assert spec_of(weights(), meta).depth == 18
