import pytest
import torch
from mmpretrain.models import ResNet

from mmssl_geo.models import SSLRes5, SSLResNet
from mmssl_geo.models.backbones import strict_init as module
from mmssl_geo.utils.errors import UserError

NARROW = dict(depth=18, stem_channels=8, base_channels=8)


def pretrained(path, **kwargs):
    return dict(type='Pretrained', checkpoint=str(path), **kwargs)


@pytest.fixture
def log(monkeypatch):
    lines = []
    monkeypatch.setattr(module, 'print_log', lambda line, logger: lines.append(line))
    return lines


@pytest.fixture
def saved(tmp_path):
    """Writes a state dict changed by `edit` and returns the path."""

    def save(edit=lambda state: None, prefix=''):
        torch.manual_seed(1)
        net = SSLResNet(**NARROW)
        for value in net.state_dict().values():
            if value.is_floating_point():
                value.uniform_(0.5, 1.0)
        state = {prefix + key: value for key, value in net.state_dict().items()}
        edit(state)
        path = tmp_path / 'weights.pth'
        torch.save(dict(state_dict=state), path)
        return path

    return save


def test_network_and_initialisation_are_those_of_mmpretrain():
    torch.manual_seed(0)
    ours = SSLResNet(depth=18)
    ours.init_weights()
    torch.manual_seed(0)
    theirs = ResNet(depth=18)
    theirs.init_weights()
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert all(torch.equal(value, theirs.state_dict()[key]) for key, value in ours.state_dict().items())
    assert ours.layer1[0].bn2.weight.abs().max() == 0 and ours.frozen_stages == -1 and not ours.norm_eval


@pytest.mark.parametrize('deep_stem', [False, True])
def test_region_maps_and_region_vectors_compose_the_network(deep_stem):
    net = SSLResNet(depth=18, stem_channels=8, base_channels=8, deep_stem=deep_stem, out_indices=(2, 3)).eval()
    images = torch.randn(2, 3, 64, 96)
    c4, c5 = net(images)
    maps = net.region_maps(images)
    torch.testing.assert_close(maps, c4)
    torch.testing.assert_close(net.region_vectors(maps), c5.mean(dim=(2, 3)))
    assert maps.shape[-2:] == (64 // net.region_stride, 96 // net.region_stride) and net.feature_channels == c5.shape[1]


def test_the_network_of_the_paper():
    net = SSLResNet(depth=50).eval()
    assert (net.region_stride, net.feature_stride, net.feature_channels) == (16, 32, 2048)
    assert (net.has_cls_token, net.num_extra_tokens) == (False, 0)
    for side, cells in ((224, 14), (112, 7)):
        with torch.no_grad():
            assert net.region_maps(torch.zeros(1, 3, side, side)).shape == (1, 1024, cells, cells)
            assert net.layer4(torch.zeros(1, 1024, cells, cells)).shape[-1] == (cells + 1) // 2  # 7 and 4


@pytest.mark.parametrize(
    'init_cfg', [None, dict(type='Pretrained', checkpoint=None), dict(type='Pretrained', checkpoint='')]
)
def test_random_initialisation_is_logged(init_cfg, log):
    SSLResNet(init_cfg=init_cfg, **NARROW).init_weights()
    assert log == ['backbone starts from random weights']


@pytest.mark.parametrize('net', [SSLResNet, SSLRes5])
def test_other_init_cfg_is_refused(net):
    with pytest.raises(UserError, match='init_cfg: only None or'):
        net(init_cfg=dict(type='Kaiming'), **NARROW)


@pytest.mark.parametrize('stored, given', [('', None), ('backbone.', None), ('teacher.backbone.', 'teacher.backbone')])
def test_strict_load(saved, log, stored, given):
    path = saved(prefix=stored)
    net = SSLResNet(init_cfg=pretrained(path, prefix=given), **NARROW)
    net.init_weights()
    state = torch.load(path)['state_dict']
    assert all(torch.equal(value, state[stored + key]) for key, value in net.state_dict().items())
    assert log == [f'loaded {len(state)} of {len(state)} backbone tensors from {path} (strict)']


def drop(state):
    del state['layer2.0.bn1.running_var']


def rename_all(state):
    for key in list(state):
        state['encoder.' + key] = state.pop(key)


def reshape(state):
    state['layer3.1.conv2.weight'] = torch.ones(32, 32, 1, 1)


def spoil(state):
    state['layer1.0.bn2.running_mean'][3] = torch.nan


def add(state):
    state['fc.weight'] = torch.ones(32)


@pytest.mark.parametrize(
    'edit, message',
    [
        (drop, r'1 of 120 are missing: layer2\.0\.bn1\.running_var\. Export'),
        (rename_all, r'120 of 120 are missing: conv1\.weight, .*, and 110 more; 120 are unexpected: encoder\.'),
        (reshape, r'1 have another shape: layer3\.1\.conv2\.weight \(file \(32, 32, 1, 1\), model \(32, 32, 3, 3\)\)'),
        (spoil, r'1 hold NaN or infinite values: layer1\.0\.bn2\.running_mean'),
        (add, r'1 are unexpected: fc\.weight'),
    ],
)
def test_tensors_that_do_not_fit_are_named(saved, edit, message):
    path = saved(edit)
    with pytest.raises(UserError, match=message) as caught:
        SSLResNet(init_cfg=pretrained(path), **NARROW).init_weights()
    assert str(path) in str(caught.value) and '--to mmdet' in str(caught.value)


def test_three_stages_and_res5_share_a_file(saved, log):
    """mmdet's C4 detectors: each of the two loads what the other ignores."""
    path = saved()
    c4 = SSLResNet(
        num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(2,), init_cfg=pretrained(path), **NARROW
    )
    res5 = SSLRes5(init_cfg=pretrained(path), **NARROW)
    whole = SSLResNet(init_cfg=pretrained(path), **NARROW)
    for net in (c4, res5, whole):
        net.init_weights()
        net.eval()
    last = len(res5.state_dict())
    assert log[0].endswith(f'(strict); {last} tensors of other parts ignored')
    assert log[1] == (
        f'loaded {last} of {last} res5 tensors from {path} (strict); {120 - last} tensors of other parts ignored'
    )
    images = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(res5(c4(images)[-1]), whole(images)[-1])
    assert [name for name, _ in res5.named_children()] == ['relu', 'maxpool', 'layer4', 'norm']


@pytest.mark.parametrize(
    'edit, message',
    [
        (lambda state: state.pop('layer4.1.conv1.weight'), r'fit the res5: .*1 of 30 are missing: layer4\.1\.conv1'),
        (lambda state: state.update({'fc.weight': torch.ones(2)}), r'fit the res5: .*1 are unexpected: fc\.weight'),
    ],
)
def test_tensors_that_do_not_fit_res5_are_named(saved, edit, message):
    with pytest.raises(UserError, match=message):
        SSLRes5(init_cfg=pretrained(saved(edit)), **NARROW).init_weights()


def test_the_extra_norm_of_res5_is_not_pretrained(saved, log):
    path = saved()
    plain, extra = (SSLRes5(init_cfg=pretrained(path), extra_norm=extra, **NARROW) for extra in (False, True))
    for net in (plain, extra):
        net.init_weights()
    assert log[0] == log[1] and log[1].startswith('loaded 30 of 30 res5 tensors')
    patches = torch.randn(4, extra.layer4[0].conv1.in_channels, 6, 6)
    maps = plain.eval()(patches)
    torch.testing.assert_close(extra.eval()(patches), maps / (1 + 1e-5) ** 0.5)  # fresh statistics: 0 and 1
    extra.norm.train()
    mean, std = maps.mean((0, 2, 3), keepdim=True), maps.std((0, 2, 3), correction=0, keepdim=True)
    torch.testing.assert_close(extra(patches), (maps - mean) / (std**2 + 1e-5) ** 0.5)


def test_an_extra_norm_is_not_loaded_from_the_file(saved):
    path = saved(lambda state: state.update({'norm.weight': torch.ones(2)}))
    with pytest.raises(UserError, match=r'fit the res5: .*1 are unexpected: norm\.weight'):
        SSLRes5(init_cfg=pretrained(path), extra_norm=True, **NARROW).init_weights()


def test_res5_is_initialised_like_the_network():
    torch.manual_seed(0)
    res5 = SSLRes5(depth=18)
    res5.init_weights()
    assert res5.layer4[0].conv1.weight.std().item() == pytest.approx((2 / (9 * 512)) ** 0.5, rel=0.02)
    assert res5.layer4[0].bn2.weight.abs().max() == 0 and (res5.layer4[0].bn1.weight == 1).all()


@pytest.mark.parametrize('stages', ['layer3', 'layer4'])
def test_a_file_without_a_stage_is_refused(saved, stages):
    def cut(state):
        for key in [key for key in state if key.startswith(stages)]:
            del state[key]

    with pytest.raises(UserError, match=rf'30 of 120 are missing: {stages}\.0\.conv1\.weight'):
        SSLResNet(init_cfg=pretrained(saved(cut)), **NARROW).init_weights()
