"""iBOT's detection protocol as D3SSL's authors run it, and its layer decay in a model of mmdet."""

import math

import mmdet.registry
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS
from torch.nn import functional as F

from .test_protocol import DETECTION, learning_rates

CASCADE = 'mmdet/cascade-mask-rcnn_vits16_d3ssl_fpn_1x_coco.py'


@pytest.fixture
def built(load_config):
    cfg = load_config(CASCADE)
    model = mmdet.registry.MODELS.build(cfg.model)
    return model, build_optim_wrapper(model, cfg.optim_wrapper)


def by_name(model, wrapper, key):
    values = {id(p): group[key] for group in wrapper.optimizer.param_groups for p in group['params']}
    return {name: values[id(p)] for name, p in model.named_parameters()}


def expected_rate(name):
    """0.0001 behind the blocks, 0.8 of the next block's rate in each block, 0.8 of the first block's in embeddings."""
    if not name.startswith('backbone.'):
        return 1e-4
    part, *rest = name.removeprefix('backbone.').split('.')
    block = int(rest[0]) if part == 'layers' else -1
    rate = 1e-4
    for _ in range(12 - block):
        rate *= 0.8
    return rate


def test_learning_rates_fall_with_depth(built):
    rates = by_name(*built, 'lr')
    assert rates == pytest.approx({name: expected_rate(name) for name in rates}, rel=1e-12)
    assert rates['backbone.layers.11.attn.qkv.weight'] == pytest.approx(8e-5)
    assert rates['backbone.layers.0.ffn.layers.0.0.bias'] == pytest.approx(1e-4 * 0.8**12)
    for name in ('pos_embed', 'cls_token', 'patch_embed.projection.weight'):
        assert rates[f'backbone.{name}'] == pytest.approx(1e-4 * 0.8**13)
    assert rates['neck.0.stages.0.0.weight'] == rates['roi_head.bbox_head.2.fc_reg.weight'] == 1e-4


def test_weight_decay_is_on_all_but_norms_and_biases(built):
    model, wrapper = built
    decay = by_name(model, wrapper, 'weight_decay')
    assert decay == {name: 0 if p.ndim == 1 else 0.05 for name, p in model.named_parameters()}
    assert decay['backbone.pos_embed'] == 0.05


def test_all_rates_follow_the_schedule(built, load_config):
    model, wrapper = built
    cfg = load_config(CASCADE)
    first = by_name(model, wrapper, 'lr')
    steps = PARAM_SCHEDULERS.build({**cfg.param_scheduler[1], 'begin': 0}, default_args=dict(optimizer=wrapper))
    wrapper.optimizer.step()
    for _ in range(8):
        steps.step()
    assert by_name(model, wrapper, 'lr') == pytest.approx({name: rate / 10 for name, rate in first.items()})


def test_schedule(load_config):
    cfg = load_config(CASCADE)
    assert cfg.train_cfg.max_epochs == 12 and cfg.auto_scale_lr.base_batch_size == 8 * cfg.train_dataloader.batch_size
    assert cfg.auto_scale_lr.base_batch_size == 32 and cfg.optim_wrapper.type == 'mmssl_geo.AmpOptimWrapper'
    rates = learning_rates(cfg, 12 * 1000, 1000, (0, 250, 500, 7999, 8000, 10999, 11000))
    warm = 1e-4 * (0.001 + 0.999 * 250 / 499)
    assert rates == pytest.approx([1e-7, warm, 1e-4, 1e-4, 1e-5, 1e-5, 1e-6], rel=1e-6)
    assert cfg.optim_wrapper.optimizer.type == 'AdamW' and 'clip_grad' not in cfg.optim_wrapper
    assert cfg.train_dataloader.dataset.pipeline == load_config(DETECTION).train_dataloader.dataset.pipeline


def test_model(load_config):
    cfg = load_config(CASCADE)
    backbone = cfg.model.backbone
    assert (cfg.model.type, backbone.arch, backbone.patch_size, backbone.drop_path_rate, backbone.final_norm) == (
        'CascadeRCNN',
        'deit-small',
        16,
        0.1,
        False,
    )
    assert backbone.out_indices == [3, 5, 7, 11] and backbone.img_size == (800, 1008)
    heads = cfg.model.roi_head.bbox_head
    assert [head.bbox_coder.target_stds[0] for head in heads] == [0.1, 0.05, 0.033]
    for head in heads:
        assert (head.type, head.reg_decoded_bbox, head.reg_class_agnostic, head.norm_cfg.type) == (
            'Shared4Conv1FCBBoxHead',
            True,
            False,
            'BN',
        )
        assert head.loss_bbox == dict(type='GIoULoss', loss_weight=10.0)
    assert cfg.sync_bn == 'torch' and cfg.model.roi_head.mask_head.num_convs == 4


def test_position_embedding_is_resized_when_it_is_loaded(built, tmp_path):
    backbone = built[0].backbone
    state = {key: torch.randn_like(value) for key, value in backbone.state_dict().items()}
    state['pos_embed'] = torch.randn(1, 1 + 14 * 14, 384)
    torch.save(dict(state_dict=state), tmp_path / 'vit.pth')
    backbone.pretrained = dict(type='Pretrained', checkpoint=str(tmp_path / 'vit.pth'))
    backbone.init_weights()
    grid = state['pos_embed'][:, 1:].unflatten(1, (14, 14)).movedim(-1, 1)
    resized = F.interpolate(grid, (math.ceil(800 / 16), 1008 // 16), mode='bicubic').flatten(2).mT
    torch.testing.assert_close(backbone.pos_embed, torch.cat([state['pos_embed'][:, :1], resized], 1))
