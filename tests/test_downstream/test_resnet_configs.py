"""The downstream configs on ResNets take a step, load strictly, and keep SoCo's settings."""
import mmdet.registry
import mmseg.registry
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from mmssl_geo.errors import UserError
from mmssl_geo.models import SSLResNet

from .conftest import CONFIGS
from .test_config_steps import REGISTRIES, SIDE, batch

NAMES = sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.glob('mm*/*_r[0-9]*.py'))
FPN = 'mmdet/mask-rcnn_r50_d3ssl_fpn_1x_coco.py'
C4 = 'mmdet/mask-rcnn_r50_d3ssl_c4_1x_coco.py'
FCN = 'mmseg/fcn_r50_d3ssl_40k_ade20k-512x512.py'


def narrow(cfg):
    """Widths for a test; the wiring stays the config's."""
    depth = cfg.model.backbone.depth
    cfg.model.backbone.update(stem_channels=8, base_channels=8)
    widths = [8 * (4 if depth == 50 else 1) * 2**stage for stage in range(4)]
    if cfg.default_scope == 'mmseg':
        cfg.model.data_preprocessor.size = (SIDE, SIDE)
        cfg.model.decode_head.update(in_channels=widths[3], channels=16)
        cfg.model.auxiliary_head.update(in_channels=widths[2], channels=16)
    elif 'shared_head' in cfg.model.roi_head:
        head = cfg.model.roi_head
        head.shared_head.update(stem_channels=8, base_channels=8)
        cfg.model.rpn_head.update(in_channels=widths[2], feat_channels=16)
        head.bbox_roi_extractor.out_channels = widths[2]
        head.bbox_head.in_channels = head.mask_head.in_channels = widths[3]
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
    assert {FPN, C4, FCN, 'mmdet/mask-rcnn_r18_small_coco-style.py', 'mmseg/fcn_r18_small_camvid-360x480.py'} == set(
        NAMES)


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


def test_one_file_fills_c4_and_res5(build, saved):
    path, state = saved(50)
    _, model = build(C4, **{'model.backbone.init_cfg.checkpoint': path,
                            'model.roi_head.shared_head.init_cfg.checkpoint': path})
    model.init_weights()
    loaded = {**model.backbone.state_dict(), **model.roi_head.shared_head.state_dict()}
    assert loaded.keys() == state.keys()
    assert all(torch.equal(value, state[key]) for key, value in loaded.items())


@pytest.mark.parametrize('name, key', [
    (FPN, 'model.backbone'), (FCN, 'model.backbone'), (C4, 'model.backbone'), (C4, 'model.roi_head.shared_head')])
def test_a_misfit_file_stops_the_model(build, saved, name, key):
    stage = 'layer4' if key.endswith('shared_head') else 'layer2'
    path, _ = saved(50, **{f'{stage}.0.bn2.running_mean': None})
    _, model = build(name, **{f'{key}.init_cfg.checkpoint': path})
    with pytest.raises(UserError, match=rf'1 of \d+ are missing: {stage}\.0\.bn2\.running_mean'):
        model.init_weights()


def test_socos_detectors(load_config):
    for name in (FPN, C4):
        cfg = load_config(name)
        assert cfg.sync_bn == 'torch' and cfg.train_dataloader.batch_size == 2
        assert cfg.optim_wrapper.optimizer == dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=2.5e-5)
        assert cfg.train_cfg.max_epochs == 12 and cfg.auto_scale_lr.base_batch_size == 16
        assert cfg.model.data_preprocessor.mean == [123.675, 116.28, 103.53] and cfg.model.data_preprocessor.bgr_to_rgb
        assert cfg.model.data_preprocessor.std == [58.395, 57.12, 57.375]
        assert [scale[0] for scale in cfg.train_dataloader.dataset.pipeline[2].scales] == list(range(640, 801, 32))
    heads = load_config(FPN).model
    assert heads.neck.norm_cfg.type == heads.roi_head.bbox_head.norm_cfg.type == heads.roi_head.mask_head.norm_cfg.type
    assert heads.roi_head.bbox_head.type == 'Shared4Conv1FCBBoxHead'


def test_fcn_has_stride_8(build):
    _, model = build(FCN)
    assert [maps.shape[-1] for maps in model.extract_feat(torch.zeros(1, 3, 64, 64))] == [16, 8, 8, 8]


def test_registries_find_the_backbone():
    for registry in (mmdet.registry, mmseg.registry):
        assert registry.MODELS.get('mmssl_geo.SSLResNet') is SSLResNet
