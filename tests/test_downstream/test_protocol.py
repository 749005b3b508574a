"""The two reported protocols, read off the loaded configs and off what is built from them."""

import mmdet.registry
import mmseg.registry
import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS

DETECTION = 'mmdet/mask-rcnn_vits16_gtsa_fpn_1x_coco.py'
SEGMENTATION = 'mmseg/semfpn_vits16_gtsa_40k_ade20k-512x512.py'


def learning_rates(cfg, iterations, epoch_length, wanted):
    """Learning rate of the optimizer step at each wanted 0-based iteration."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=cfg.optim_wrapper.optimizer.lr)
    schedulers = [
        PARAM_SCHEDULERS.build(dict(scheduler), default_args=dict(optimizer=optimizer))
        for scheduler in cfg.param_scheduler
    ]
    rates = {}
    for i in range(iterations):
        if i in wanted:
            rates[i] = optimizer.param_groups[0]['lr']
        optimizer.step()
        for scheduler in schedulers:
            if not scheduler.by_epoch or (i + 1) % epoch_length == 0:
                scheduler.step()
    return [rates[i] for i in wanted]


def decay_of(cfg, registry):
    """Weight decay of every trained parameter, by name."""
    model = registry.MODELS.build(cfg.model)
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    decay = {id(p): group['weight_decay'] for group in optimizer.param_groups for p in group['params']}
    return {name: decay[id(p)] for name, p in model.named_parameters()}


def test_detection_model(load_config):
    cfg = load_config(DETECTION)
    backbone, (pyramid, fpn) = cfg.model.backbone, cfg.model.neck
    assert cfg.model.type == 'MaskRCNN'
    assert (backbone.arch, backbone.patch_size, backbone.drop_path_rate) == ('deit-small', 16, 0.05)
    assert backbone.out_indices == [3, 5, 7, 11] and backbone.final_norm is False
    assert pyramid.type == 'mmssl_geo.ViTPyramid' and 'rescales' not in pyramid and 'norm_cfg' not in pyramid
    assert (fpn.type, fpn.out_channels) == ('FPN', 256)
    # each GPU has its own BN; its statistics are averaged before an evaluation
    assert cfg.sync_bn is None and cfg.default_hooks.sync_buffers.type == 'SyncBuffersHook'
    assert cfg.model.data_preprocessor.mean == [123.675, 116.28, 103.53]


def test_detection_schedule(load_config):
    cfg = load_config(DETECTION)
    assert cfg.train_cfg.max_epochs == 12
    assert cfg.train_dataloader.batch_size == 1 and cfg.auto_scale_lr.base_batch_size == 8
    rates = learning_rates(cfg, 12 * 2000, 2000, (0, 500, 1000, 8 * 2000 - 1, 8 * 2000, 11 * 2000))
    warm = 5e-5 * (0.001 + 0.999 * 500 / 999)
    assert rates == pytest.approx([5e-8, warm, 5e-5, 5e-5, 5e-6, 5e-7], rel=2e-3)
    assert cfg.optim_wrapper.optimizer.type == 'AdamW' and 'clip_grad' not in cfg.optim_wrapper


@pytest.mark.parametrize(
    'name, registry, weight_decay', [(DETECTION, mmdet.registry, 0.05), (SEGMENTATION, mmseg.registry, 0.01)]
)
def test_no_decay_on_norms_and_embeddings(load_config, name, registry, weight_decay):
    decay = decay_of(load_config(name), registry)
    free = {key for key, value in decay.items() if value == 0}
    assert {decay[key] for key in decay.keys() - free} == {weight_decay}
    assert {
        'backbone.pos_embed',
        'backbone.cls_token',
        'backbone.layers.0.ln1.weight',
        'backbone.layers.11.ln2.bias',
    } <= free
    batch_norms = {key for key in decay if '.stages.0.1.' in key or '.bn.' in key}
    assert batch_norms and free == batch_norms | {
        key for key in decay if '.ln' in key or key.endswith(('pos_embed', 'cls_token'))
    }


def test_detection_resizing_is_detrs(load_config):
    cfg = load_config(DETECTION, **{'train_dataloader.dataset.data_root': ''})
    pipeline = cfg.train_dataloader.dataset.pipeline
    assert [step.type for step in pipeline] == [
        'LoadImageFromFile',
        'LoadAnnotations',
        'RandomFlip',
        'RandomChoice',
        'PackDetInputs',
    ]
    assert pipeline[2].prob == 0.5
    choice = mmdet.registry.TRANSFORMS.build(pipeline[3])
    sizes = []
    np.random.seed(0)
    for _ in range(80):
        shape = choice(dict(img=np.zeros((480, 640, 3), np.uint8), img_shape=(480, 640)))['img'].shape[:2]
        sizes.append(shape)
    shorts, longs = {min(s) for s in sizes}, {max(s) for s in sizes}
    assert shorts <= set(range(480, 801, 32)) | {min(s) for s in sizes if max(s) == 1333} and max(longs) <= 1333
    assert len(shorts) >= 9
    # the second policy's crops change the aspect of 4:3
    cropped = [s for s in sizes if abs(max(s) / min(s) - 4 / 3) > 0.01]
    assert 20 <= len(cropped) <= 60
    resize, crop, last = pipeline[3].transforms[1]
    assert resize.scales == [(400, 1333), (500, 1333), (600, 1333)]
    assert (crop.crop_type, crop.crop_size, last.scales[0]) == ('absolute_range', (384, 600), (480, 1333))


def test_segmentation_model(load_config):
    cfg = load_config(SEGMENTATION)
    backbone, neck, head = cfg.model.backbone, cfg.model.neck, cfg.model.decode_head
    assert (backbone.arch, backbone.patch_size, backbone.drop_path_rate) == ('deit-small', 16, 0)
    assert backbone.out_indices == [2, 5, 8, 11] and backbone.final_norm is False
    assert (neck.type, neck.out_channels, head.type) == ('FPN', 256, 'FPNHead')
    assert head.feature_strides == [4, 8, 16, 32] and head.num_classes == 150 and cfg.sync_bn == 'torch'
    model = mmseg.registry.MODELS.build(cfg.model)
    maps = model.extract_feat(torch.zeros(1, 3, 64, 64))
    assert [x.shape[-1] for x in maps] == [4] * 4  # all at stride 16


def test_segmentation_schedule(load_config):
    cfg = load_config(SEGMENTATION)
    assert cfg.train_cfg.max_iters == 40000 and cfg.train_dataloader.batch_size == 2
    assert cfg.optim_wrapper.optimizer.type == 'AdamW'
    rates = learning_rates(cfg, 40000, 1, (0, 750, 1499, 1500, 20000, 39999))
    warm = [6e-5 * (1 - i / 40000) * (1e-6 + (1 - 1e-6) * i / 1499) for i in (0, 750, 1499)]
    assert rates == pytest.approx(warm + [6e-5 * (1 - i / 40000) for i in (1500, 20000, 39999)], rel=2e-3, abs=2e-9)
    crop = cfg.train_dataloader.dataset.pipeline[3]
    assert (crop.type, crop.crop_size, cfg.model.data_preprocessor.size) == ('RandomCrop', (512, 512), (512, 512))


def test_data_root_moves_everything(load_config, monkeypatch):
    monkeypatch.setenv('DATA_ROOT', '/elsewhere')
    for name in (DETECTION, SEGMENTATION, 'mmseg/semfpn_vitt16_small_camvid-360x480.py'):
        cfg = load_config(name)
        roots = {cfg[f'{split}_dataloader'].dataset.data_root for split in ('train', 'val', 'test')}
        assert roots == {'/elsewhere'}
    evaluators = load_config(DETECTION)
    assert {evaluators.val_evaluator.ann_file, evaluators.test_evaluator.ann_file} == {
        '/elsewhere/annotations/instances_val2017.json'
    }
