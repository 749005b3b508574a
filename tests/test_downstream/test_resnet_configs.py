"""The downstream configs on ResNets take a step, load strictly, and keep SoCo's settings."""

import mmdet.registry
import mmseg.registry
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from mmssl_geo.models import SSLResNet
from mmssl_geo.utils.errors import UserError

from .conftest import CONFIGS
from .test_config_steps import REGISTRIES, SIDE, batch
from .test_protocol import learning_rates

NAMES = sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.glob('mm*/*_r[0-9]*.py'))
FPN = 'mmdet/mask-rcnn_r50_d3ssl_fpn_1x_coco.py'
C4 = 'mmdet/mask-rcnn_r50_d3ssl_c4_1x_coco.py'
FPN_2X = 'mmdet/mask-rcnn_r50_d3ssl_fpn_2x_coco.py'
C4_2X = 'mmdet/mask-rcnn_r50_d3ssl_c4_2x_coco.py'
VOC = 'mmdet/faster-rcnn_r50_d3ssl_c4_24k_voc0712.py'
FCN = 'mmseg/fcn_r50_d3ssl_40k_ade20k-512x512.py'


def narrow(cfg):
    """Widths for a test; the wiring stays the config's."""
    depth = cfg.model.backbone.depth
    cfg.model.backbone.update(stem_channels=8, base_channels=8)
    widths = [8 * (4 if depth == 50 else 1) * 2**stage for stage in range(4)]
    if cfg.default_scope == 'mmseg':
        cfg.model.data_preprocessor.size = (SIDE, SIDE)
        cfg.model.decode_head.update(in_channels=widths[3], channels=16)
        if cfg.model.auxiliary_head is not None:
            cfg.model.auxiliary_head.update(in_channels=widths[2], channels=16)
    elif 'shared_head' in cfg.model.roi_head:
        head = cfg.model.roi_head
        head.shared_head.update(stem_channels=8, base_channels=8)
        cfg.model.rpn_head.update(in_channels=widths[2], feat_channels=16)
        head.bbox_roi_extractor.out_channels = widths[2]
        for part in (head.bbox_head, head.mask_head):
            if part is not None:
                part.in_channels = widths[3]
    else:
        cfg.model.neck.in_channels = widths
    if cfg.default_scope == 'mmdet':
        cfg.model.train_cfg.rcnn.sampler.num = 16
    return cfg


@pytest.fixture
def build(load_config):
    def make(name, **options):
        cfg = narrow(load_config(name, **options))
        torch.manual_seed(0)
        return cfg, REGISTRIES[cfg.default_scope].MODELS.build(cfg.model)

    return make


@pytest.fixture
def saved(tmp_path):
    """A narrow ResNet of a depth as the converter writes it."""

    def save(depth, **edits):
        torch.manual_seed(1)
        state = dict(SSLResNet(depth, stem_channels=8, base_channels=8).state_dict())
        state.update(edits)
        path = tmp_path / f'r{depth}.pth'
        torch.save(dict(meta={}, state_dict={key: value for key, value in state.items() if value is not None}), path)
        return str(path), state

    return save


def test_all_are_here():
    assert {
        FPN,
        C4,
        FPN_2X,
        C4_2X,
        VOC,
        FCN,
        'mmdet/mask-rcnn_r18_small_coco-style.py',
        'mmseg/fcn_r18_small_camvid-360x480.py',
    } <= set(NAMES)


@pytest.mark.parametrize('name', NAMES)
def test_config_takes_a_step(build, name):
    cfg, model = build(name)
    model.init_weights()
    model.train()
    for module in model.modules():  # blocks that end with zeros pass no gradient in the first step
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    norms = [module for module in model.backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms and all(norm.training and norm.weight.requires_grad for norm in norms), 'nothing is frozen'
    before = {key: value.clone() for key, value in model.named_parameters()}
    losses = model.train_step(batch(cfg.default_scope), build_optim_wrapper(model, cfg.optim_wrapper))
    assert torch.isfinite(losses['loss']) and losses['loss'] > 0
    changed = {key for key, value in model.named_parameters() if not torch.equal(value, before[key])}
    assert {'backbone.conv1.weight', 'backbone.layer3.1.bn1.weight'} <= changed
    if 'c4' in name:
        assert {'roi_head.shared_head.layer4.0.conv1.weight', 'roi_head.shared_head.layer4.2.bn3.bias'} <= changed


@pytest.mark.parametrize('name', [C4, VOC])
@pytest.mark.parametrize('by', ['variable', 'options'])
def test_one_file_fills_c4_and_res5(build, saved, monkeypatch, by, name):
    path, state = saved(50)
    if by == 'variable':
        monkeypatch.setenv('CHECKPOINT', path)
        _, model = build(name)
    else:
        monkeypatch.setenv('CHECKPOINT', '/nowhere/else.pth')
        _, model = build(
            name, **{'model.backbone.init_cfg.checkpoint': path, 'model.roi_head.shared_head.init_cfg.checkpoint': path}
        )
    model.init_weights()
    loaded = {**model.backbone.state_dict(), **model.roi_head.shared_head.state_dict()}
    assert loaded.keys() - state.keys() == set(nn.BatchNorm2d(1).state_dict(prefix='norm.'))
    assert all(torch.equal(loaded[key], value) for key, value in state.items())


def test_options_of_c4_and_res5_are_apart(load_config, monkeypatch):
    monkeypatch.setenv('CHECKPOINT', 'both.pth')
    cfg = load_config(C4, **{'model.backbone.init_cfg.checkpoint': 'one.pth'})
    assert (cfg.model.backbone.init_cfg.checkpoint, cfg.model.roi_head.shared_head.init_cfg.checkpoint) == (
        'one.pth',
        'both.pth',
    )


@pytest.mark.parametrize(
    'name, key',
    [(FPN, 'model.backbone'), (FCN, 'model.backbone'), (C4, 'model.backbone'), (C4, 'model.roi_head.shared_head')],
)
def test_a_misfit_file_stops_the_model(build, saved, name, key):
    stage = 'layer4' if key.endswith('shared_head') else 'layer2'
    path, _ = saved(50, **{f'{stage}.0.bn2.running_mean': None})
    _, model = build(name, **{f'{key}.init_cfg.checkpoint': path})
    with pytest.raises(UserError, match=rf'1 of \d+ are missing: {stage}\.0\.bn2\.running_mean'):
        model.init_weights()


@pytest.mark.parametrize('name', [FPN, C4, FPN_2X, C4_2X])
def test_socos_detectors(load_config, name):
    cfg = load_config(name)
    assert cfg.sync_bn == 'torch' and cfg.train_dataloader.batch_size == 2
    assert cfg.optim_wrapper.optimizer == dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=2.5e-5)
    assert cfg.auto_scale_lr.base_batch_size == 16
    assert cfg.model.data_preprocessor.mean == [123.675, 116.28, 103.53] and cfg.model.data_preprocessor.bgr_to_rgb
    assert cfg.model.data_preprocessor.std == [58.395, 57.12, 57.375]
    assert [scale[0] for scale in cfg.train_dataloader.dataset.pipeline[2].scales] == list(range(640, 801, 32))
    train = cfg.model.train_cfg
    assert (train.rpn.allowed_border, train.rcnn.assigner.match_low_quality, train.rpn.sampler.num) == (-1, False, 256)
    heads = cfg.model
    if '_c4_' in name:
        assert (heads.roi_head.shared_head.extra_norm, train.rpn_proposal.nms_pre) == (True, 12000)
    else:
        assert {head.norm_cfg.type for head in (heads.neck, heads.roi_head.bbox_head, heads.roi_head.mask_head)} == {
            'BN'
        }
        assert heads.roi_head.bbox_head.type == 'Shared4Conv1FCBBoxHead'


@pytest.mark.parametrize(
    'name, epochs, steps', [(FPN, 12, (8, 11)), (C4, 12, (8, 11)), (FPN_2X, 24, (16, 22)), (C4_2X, 24, (16, 22))]
)
def test_socos_schedules(load_config, name, epochs, steps):
    cfg = load_config(name)
    length = 1500
    ends = [(epochs - 1) * length, steps[1] * length - 1, steps[1] * length, steps[0] * length - 1, steps[0] * length]
    rates = learning_rates(cfg, epochs * length, length, (0, 500, 1000, *sorted(ends)))
    by_iteration = dict(zip((0, 500, 1000, *sorted(ends)), rates, strict=True))
    assert [by_iteration[i] for i in (0, 500, 1000)] == pytest.approx(
        [2e-5, 0.02 * (0.001 + 0.999 * 500 / 999), 0.02], rel=1e-3
    )
    assert [by_iteration[i] for i in ends] == pytest.approx([2e-4, 2e-3, 2e-4, 0.02, 2e-3], rel=1e-6)
    assert cfg.train_cfg.max_epochs == epochs


@pytest.mark.parametrize('name, weight_decay', [(FPN, 2.5e-5), (C4_2X, 2.5e-5), (VOC, 1e-4)])
def test_norms_of_detectron2s_protocols_are_not_decayed(build, name, weight_decay):
    cfg, model = build(name)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    decay = {id(p): group['weight_decay'] for group in groups for p in group['params']}
    norms = {id(p) for module in model.modules() if isinstance(module, nn.BatchNorm2d) for p in module.parameters()}
    assert {decay[key] for key in norms} == {0} and {decay[key] for key in decay.keys() - norms} == {weight_decay}


def test_fcn_has_stride_8(build):
    _, model = build(FCN)
    assert [maps.shape[-1] for maps in model.extract_feat(torch.zeros(1, 3, 64, 64))] == [16, 8, 8, 8]


def test_registries_find_the_backbone():
    for registry in (mmdet.registry, mmseg.registry):
        assert registry.MODELS.get('mmssl_geo.SSLResNet') is SSLResNet
