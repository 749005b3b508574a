"""Segmentation protocols, read off the loaded configs and off what is built from them."""

import mmseg.registry
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmseg.structures import SegDataSample
from torch import nn

from .conftest import CONFIGS, NARROW
from .test_config_steps import batch
from .test_protocol import learning_rates

UPERNET = 'mmseg/upernet_vits16_d3ssl_160k_ade20k-512x512.py'
MOCO_VOC = 'mmseg/fcn_r50_d3ssl_30k_voc12aug-513x513.py'
MOCO_CITYSCAPES = 'mmseg/fcn_r50_d3ssl_90k_cityscapes-769x769.py'
LINEAR = 'mmseg/linear_vits16_frozen_40k_ade20k-512x512.py'
SEMFPN_CITYSCAPES = 'mmseg/semfpn_vits16_gtsa_40k_cityscapes-768x768.py'


def values_by_name(model, wrapper, key):
    values = {id(p): group[key] for group in wrapper.optimizer.param_groups for p in group['params']}
    return {name: values[id(p)] for name, p in model.named_parameters()}


@pytest.fixture(scope='module')
def upernet():
    with DefaultScope.overwrite_default_scope('mmseg'):
        cfg = Config.fromfile(CONFIGS / UPERNET)
        model = mmseg.registry.MODELS.build(cfg.model)
        yield cfg, model, build_optim_wrapper(model, cfg.optim_wrapper)


def test_upernets_rates_fall_with_depth(upernet):
    cfg, model, wrapper = upernet
    rates = values_by_name(model, wrapper, 'lr')
    # iBOT's rule with 12 blocks: 0.9 for block 11 (the last), 0.9^12 for block 0, 0.9^13 for the embeddings
    for block in range(12):
        assert rates[f'backbone.layers.{block}.attn.qkv.weight'] == pytest.approx(3e-5 * 0.9 ** (12 - block))
    for name in ('pos_embed', 'cls_token', 'patch_embed.projection.weight'):
        assert rates[f'backbone.{name}'] == pytest.approx(3e-5 * 0.9**13)
    others = {
        rate for name, rate in rates.items() if not name.startswith('backbone.') or name.startswith('backbone.ln1')
    }
    assert others == {3e-5}
    decay = values_by_name(model, wrapper, 'weight_decay')
    assert decay == {name: 0 if p.ndim == 1 else 0.05 for name, p in model.named_parameters()}


def test_upernet_is_ibots(upernet):
    cfg, model, wrapper = upernet
    assert type(wrapper).__name__ == 'PortableAmpOptimWrapper' and cfg.sync_bn == 'torch'
    assert cfg.train_dataloader.batch_size == 2 and cfg.train_cfg.max_iters == 160000
    assert (cfg.model.backbone.drop_path_rate, list(cfg.model.backbone.out_indices)) == (0.1, [3, 5, 7, 11])
    assert model.backbone.norm_every_map and model.backbone.pos_embed.shape == (1, 1 + 32 * 32, 384)
    assert (model.decode_head.channels, model.auxiliary_head.channels, model.auxiliary_head.in_index) == (384, 256, 2)
    assert cfg.model.auxiliary_head.loss_decode.loss_weight == 0.4
    assert (cfg.model.test_cfg.mode, cfg.model.test_cfg.stride) == ('slide', (341, 341))
    rates = learning_rates(cfg, 4001, 1, (0, 750, 1500, 4000))
    assert rates == pytest.approx(
        [3e-11] + [3e-5 * warm * (1 - i / 160000) for i, warm in ((750, 750 / 1499), (1500, 1), (4000, 1))], rel=1e-4
    )


def test_upernets_pyramid_has_strides_4_to_32(upernet):
    _, model, _ = upernet
    model.eval()
    with torch.no_grad():
        maps = model.extract_feat(torch.zeros(1, 3, 64, 64))
    assert [x.shape[-1] for x in maps] == [16, 8, 4, 2]


@pytest.mark.parametrize(
    'name, iterations, rate, side, classes',
    [(MOCO_VOC, 30000, 0.003, 513, 21), (MOCO_CITYSCAPES, 90000, 0.01, 769, 19)],
)
def test_mocos_protocol(load_config, name, iterations, rate, side, classes):
    cfg = load_config(name)
    assert cfg.train_cfg.max_iters == iterations and cfg.train_dataloader.batch_size == 2
    assert cfg.optim_wrapper.optimizer == dict(type='SGD', lr=rate, momentum=0.9, weight_decay=1e-4)
    assert 'paramwise_cfg' not in cfg.optim_wrapper
    (scheduler,) = cfg.param_scheduler
    assert (scheduler.type, scheduler.by_epoch, scheduler.gamma) == ('MultiStepLR', False, 0.1)
    assert scheduler.milestones == [iterations * 7 // 10, iterations * 9 // 10] and scheduler.end == iterations
    data = cfg.train_dataloader.dataset
    for pipeline in [part.pipeline for part in data.get('datasets', [data])]:
        assert [step.type for step in pipeline] == [
            'LoadImageFromFile',
            'LoadAnnotations',
            'RandomResize',
            'RandomCrop',
            'RandomFlip',
            'PackSegInputs',
        ]
        assert pipeline[2].ratio_range == (0.5, 2.0) and pipeline[2].scale[1] == (513 if side == 513 else 1024)
        assert pipeline[3].crop_size == (side, side) and pipeline[4].prob == 0.5
    assert cfg.model.data_preprocessor.size == (side, side)
    assert 'Resize' not in [step.type for step in cfg.val_dataloader.dataset.pipeline]
    assert cfg.model.test_cfg.mode == 'whole' and cfg.model.decode_head.num_classes == classes


def test_mocos_net(load_config):
    model = mmseg.registry.MODELS.build(load_config(MOCO_VOC).model)
    last = [m for m in model.backbone.layer4.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert {(m.dilation, m.stride) for m in last} == {((2, 2), (1, 1))} and len(last) == 3
    assert [
        (m.kernel_size, m.out_channels, m.dilation) for m in model.decode_head.modules() if isinstance(m, nn.Conv2d)
    ] == [((1, 1), 21, (1, 1)), ((3, 3), 256, (6, 6)), ((3, 3), 256, (6, 6))]
    assert not model.with_auxiliary_head
    model.eval()
    with torch.no_grad():
        assert [x.shape[-1] for x in model.extract_feat(torch.zeros(1, 3, 65, 65))] == [17, 9, 5, 5]


@pytest.fixture
def linear(load_config):
    cfg = load_config(
        LINEAR,
        **{
            'model.backbone.arch': {'_delete_': True, **NARROW},
            'model.decode_head.in_channels': 48,
            'model.decode_head.channels': 48,
            'model.backbone.img_size': 64,
            'model.data_preprocessor.size': (64, 64),
        },
    )
    torch.manual_seed(0)
    model = mmseg.registry.MODELS.build(cfg.model)
    model.init_weights()
    return cfg, model


def test_linear_head_is_one_1x1_convolution_on_normalised_tokens(linear):
    _, model = linear
    head = model.decode_head
    assert {name: tuple(p.shape) for name, p in head.named_parameters()} == {
        'conv_seg.weight': (150, 48, 1, 1),
        'conv_seg.bias': (150,),
    }
    with torch.no_grad():
        head.conv_seg.weight.normal_()
    model.train()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        (tokens,) = model.backbone(images)
        scores = head((tokens,))
    assert tokens.mean(dim=1).abs().max() < 1e-5  # the final LayerNorm as it is initialised
    weight = head.conv_seg.weight[..., 0, 0]
    expected = torch.einsum('kc,bchw->bkhw', weight, tokens) + head.conv_seg.bias[:, None, None]
    assert torch.allclose(scores, expected, atol=1e-4)  # in training mode too: no dropout


def test_frozen_backbone_stays_in_value_and_mode(linear):
    cfg, model = linear
    images = torch.randn(2, 3, 64, 64)
    model.eval()
    before = model.backbone(images)[0]
    model.train()
    assert not model.backbone(images)[0].requires_grad
    assert torch.equal(model.backbone(images)[0], before), 'training mode changes nothing'
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    model.train_step(batch('mmseg'), wrapper)
    changed = {key for key, value in model.state_dict().items() if not torch.equal(value, weights[key])}
    assert changed == {'decode_head.conv_seg.weight', 'decode_head.conv_seg.bias'}


def test_linear_schedule(load_config):
    for name in (LINEAR, LINEAR.replace('ade20k', 'voc12aug')):
        cfg = load_config(name)
        assert cfg.optim_wrapper.optimizer == dict(type='AdamW', lr=1e-3, betas=(0.9, 0.999), weight_decay=1e-4)
        assert learning_rates(cfg, 2001, 1, (0, 1500, 2000)) == pytest.approx(
            [1e-9, 1e-3 * (1 - 1500 / 40000), 1e-3 * (1 - 2000 / 40000)], rel=1e-4
        )


def test_cityscapes_windows_cover_the_image(load_config):
    cfg = load_config(
        SEMFPN_CITYSCAPES,
        **{
            'model.backbone.arch': {'_delete_': True, **NARROW},
            'model.neck.in_channels': [48] * 4,
            'model.backbone.img_size': 64,
            'model.test_cfg.crop_size': (64, 64),
            'model.test_cfg.stride': (40, 40),
        },
    )
    model = mmseg.registry.MODELS.build(cfg.model)
    model.eval()
    sample = SegDataSample(metainfo=dict(img_shape=(80, 150), ori_shape=(80, 150)))
    seen = []
    model.backbone.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].shape[-2:]))
    data = dict(inputs=[torch.zeros(3, 80, 150, dtype=torch.uint8)], data_samples=[sample])
    with torch.no_grad():
        (prediction,) = model.test_step(data)
    assert prediction.pred_sem_seg.data.shape == (1, 80, 150)
    assert seen == [(64, 64)] * 2 * 4
