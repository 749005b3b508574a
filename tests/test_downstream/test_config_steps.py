"""Every shipped config that fine-tunes a vision transformer in mmdet or mmseg builds and takes one small step."""

import re

import mmdet.registry
import mmseg.registry
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.optim import build_optim_wrapper
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample

from .conftest import CONFIGS, NARROW

REGISTRIES = dict(mmdet=mmdet.registry, mmseg=mmseg.registry)
LARGE = ('_vitb16_', 'cascade')
NAMES = [
    pytest.param(name, marks=[pytest.mark.slow] if any(part in name for part in LARGE) else [])
    for name in sorted(
        str(path.relative_to(CONFIGS))
        for path in CONFIGS.glob('mm[ds]e*/*.py')
        if not re.search('_r[0-9]|_frozen_', path.name)
    )
]
SIDE = 64


def detection_sample():
    masks = torch.zeros(1, SIDE, SIDE, dtype=torch.uint8).numpy()
    masks[:, 8:48, 8:40] = 1
    shape = (SIDE, SIDE)
    sample = DetDataSample(
        metainfo=dict(
            img_id=0, img_shape=shape, ori_shape=shape, batch_input_shape=shape, pad_shape=shape, scale_factor=(1, 1)
        )
    )
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor([[8.0, 8.0, 40.0, 48.0]]), labels=torch.tensor([1]), masks=BitmapMasks(masks, SIDE, SIDE)
    )
    return sample


def segmentation_sample():
    label = torch.zeros(1, SIDE, SIDE, dtype=torch.long)
    label[..., SIDE // 2 :] = 2
    sample = SegDataSample(metainfo=dict(img_shape=(SIDE, SIDE), ori_shape=(SIDE, SIDE)))
    sample.gt_sem_seg = PixelData(data=label)
    return sample


def batch(package):
    make = detection_sample if package == 'mmdet' else segmentation_sample
    images = torch.randint(0, 255, (2, 3, SIDE, SIDE), dtype=torch.uint8)
    return dict(inputs=list(images), data_samples=[make(), make()])


@pytest.mark.parametrize('name', NAMES)
def test_config_takes_a_step(load_config, name):
    cfg = load_config(name)
    package = name.split('/')[0]
    assert cfg.default_scope == package
    if package == 'mmseg':
        cfg.model.data_preprocessor.size = (SIDE, SIDE)
    if package == 'mmdet':
        cfg.model.train_cfg.rpn_proposal.max_per_img = 50
    torch.manual_seed(0)
    model = REGISTRIES[package].MODELS.build(cfg.model)
    model.init_weights()
    model.train()
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    before = {key: value.clone() for key, value in model.backbone.named_parameters()}
    losses = model.train_step(batch(package), wrapper)
    assert torch.isfinite(losses['loss']) and losses['loss'] > 0
    changed = [key for key, value in model.backbone.named_parameters() if not torch.equal(value, before[key])]
    assert {'pos_embed', 'cls_token', 'patch_embed.projection.weight', 'layers.0.attn.qkv.weight'} <= set(changed)


def test_narrow_net_predicts_at_the_images_size(load_config):
    cfg = load_config(
        'mmseg/semfpn_vitt16_small_camvid-360x480.py',
        **{'model.backbone.arch': {'_delete_': True, **NARROW}, 'model.neck.in_channels': [48] * 4},
    )
    model = mmseg.registry.MODELS.build(cfg.model)
    model.eval()
    sample = SegDataSample(metainfo=dict(img_shape=(60, 90), ori_shape=(60, 90)))
    data = dict(inputs=[torch.zeros(3, 60, 90, dtype=torch.uint8)], data_samples=[sample])
    with torch.no_grad():
        (prediction,) = model.test_step(data)
    assert prediction.pred_sem_seg.data.shape == (1, 60, 90)
    assert prediction.img_padding_size == (0, 6, 0, 4)  # to 64 x 96: whole patches, nothing stretched
