"""Classification protocols, read off the loaded configs and off what is built from them."""

import math

import mmpretrain.registry
import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS
from torch.nn import functional as F

from .conftest import NARROW

FINETUNE = 'mmpretrain/finetune_vits16_gtsa_300e_inat19-224.py'
LINEAR_NAMES = [f'mmpretrain/linear_vits16_frozen_100e_{data}-224.py' for data in ('imagenet', 'inat19')]
SIDE = 32


def narrow(load_config, name, **options):
    cfg = load_config(
        name,
        **{
            'model.backbone.arch': {'_delete_': True, **NARROW},
            'model.head.in_channels': 48,
            'model.backbone.img_size': SIDE,
            **options,
        },
    )
    torch.manual_seed(0)
    model = mmpretrain.registry.MODELS.build(cfg.model)
    model.init_weights()
    return cfg, model


def values_by_name(model, wrapper, key):
    values = {id(p): group[key] for group in wrapper.optimizer.param_groups for p in group['params']}
    return {name: values[id(p)] for name, p in model.named_parameters()}


def test_gtsas_rates_fall_with_depth(load_config):
    cfg, model = narrow(load_config, FINETUNE)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    assert type(wrapper.optimizer).__name__ == 'AdamW' and type(wrapper).__name__ == 'PortableAmpOptimWrapper'
    rates = values_by_name(model, wrapper, 'lr')
    # official code: 12 blocks give 13 powers; block i learns at 0.65^(12 - i), embeddings at 0.65^13, the head at 1
    for block in range(12):
        assert rates[f'backbone.layers.{block}.ffn.layers.1.weight'] == pytest.approx(1.4e-4 * 0.65 ** (12 - block))
    for name in ('pos_embed', 'cls_token', 'patch_embed.projection.bias'):
        assert rates[f'backbone.{name}'] == pytest.approx(1.4e-4 * 0.65**13)
    assert {rate for name, rate in rates.items() if name.startswith('head.')} == {1.4e-4}
    free = {'backbone.pos_embed', 'backbone.cls_token'}
    decay = values_by_name(model, wrapper, 'weight_decay')
    assert decay == {name: 0 if p.ndim == 1 or name in free else 0.05 for name, p in model.named_parameters()}


def test_gtsas_schedule(load_config):
    cfg = load_config(FINETUNE)
    length, base = 10, 1.4e-4
    assert (cfg.train_cfg.max_epochs, cfg.train_dataloader.batch_size) == (300, 128)
    assert cfg.auto_scale_lr.base_batch_size == 1024 and 'clip_grad' not in cfg.optim_wrapper
    groups = [dict(params=[torch.nn.Parameter(torch.zeros(1))], lr=base * scale) for scale in (1, 0.65**13)]
    optimizer = torch.optim.SGD(groups, lr=base)
    schedulers = []
    for scheduler in cfg.param_scheduler:
        scheduler = dict(scheduler)
        kind = PARAM_SCHEDULERS.get(scheduler.pop('type'))
        scheduler.pop('convert_to_iter_based')
        schedulers.append(kind.build_iter_from_epoch(optimizer, epoch_length=length, **scheduler))
    rates = []
    for _ in range(300 * length):
        rates.append([group['lr'] for group in optimizer.param_groups])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    # official code: linear from 0 over 5 epochs, then half a cosine to 1e-6 at epoch 300, times the layer's factor
    for step in (0, 25, 60, 1000, 2999):
        epoch = step / length
        share = (
            epoch / 5
            if epoch < 5
            else (1e-6 / base + (1 - 1e-6 / base) * (1 + math.cos(math.pi * (epoch - 5) / 295)) / 2)
        )
        assert rates[step] == pytest.approx([base * share, base * 0.65**13 * share], rel=0.025, abs=2e-10)


def test_gtsas_features_are_means_of_tokens_without_the_final_norm(load_config):
    _, model = narrow(load_config, FINETUNE)
    model.eval()
    images = torch.randn(2, 3, SIDE, SIDE)
    tokens = []
    model.backbone.layers[-1].register_forward_hook(lambda module, inputs, output: tokens.append(output))
    with torch.no_grad():
        (feature,) = model.extract_feat(images)
        scores = model.head((feature,))
    assert torch.allclose(feature, tokens[0][:, 1:].mean(dim=1), atol=1e-6) and not hasattr(model.backbone, 'ln1')
    normed = F.layer_norm(feature, (48,), model.head.norm.weight, model.head.norm.bias, 1e-5)
    assert torch.allclose(scores, F.linear(normed, model.head.fc.weight, model.head.fc.bias), atol=1e-7)
    assert model.head.fc.weight.abs().max() < 2e-4 and model.head.norm.weight.abs().max() < 2e-4


def test_gtsas_targets_are_mixed_and_smoothed(load_config):
    _, model = narrow(load_config, FINETUNE)
    augments = model.data_preprocessor.batch_augments
    assert [(type(a).__name__, a.alpha) for a in augments.augments] == [('Mixup', 0.8), ('CutMix', 1.0)]
    assert augments.probs is None  # always one of the two, half and half
    scores, labels = torch.randn(3, 1010), torch.tensor([0, 500, 1009])
    target = torch.full((3, 1010), 0.1 / 1010)
    target[range(3), labels] += 0.9
    expected = -(target * scores.log_softmax(dim=1)).sum(dim=1).mean()
    assert torch.allclose(model.head.loss_module(scores, labels), expected, atol=1e-5)
    assert torch.allclose(model.head.loss_module(scores, F.one_hot(labels, 1010).float()), expected, atol=1e-5)


def test_gtsas_augmentations(load_config):
    cfg = load_config(FINETUNE)
    steps = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    assert list(steps) == [
        'LoadImageFromFile',
        'RandomResizedCrop',
        'RandomFlip',
        'RandAugment',
        'RandomErasing',
        'PackInputs',
    ]
    crop, augment, erase = steps['RandomResizedCrop'], steps['RandAugment'], steps['RandomErasing']
    assert (crop.scale, crop.backend, crop.interpolation) == (224, 'pillow', 'bicubic')
    assert (augment.policies, augment.num_policies, augment.magnitude_level, augment.magnitude_std) == (
        'timm_increasing',
        2,
        9,
        0.5,
    )
    assert (erase.erase_prob, erase.mode) == (0.25, 'rand')
    assert cfg.model.backbone.drop_path_rate == 0.1 and cfg.model.data_preprocessor.to_rgb
    # colours of the pipeline are BGR, those of the preprocessor RGB
    assert erase.fill_color[::-1] == cfg.model.data_preprocessor.mean
    assert erase.fill_std[::-1] == cfg.model.data_preprocessor.std


@pytest.mark.parametrize('name', [FINETUNE, *LINEAR_NAMES])
def test_evaluation_crops_the_centre(load_config, name):
    pipeline = load_config(name).val_dataloader.dataset.pipeline
    photo = np.zeros((400, 600, 3), np.uint8)
    photo[:, 300:] = 255
    result = dict(img=photo, img_shape=photo.shape[:2])
    for step in pipeline[1:-1]:
        result = mmpretrain.registry.TRANSFORMS.build(step)(result)
    image = result['img']
    assert image.shape == (224, 224, 3) and (image[:, :108] == 0).all() and (image[:, 116:] == 255).all()


@pytest.mark.parametrize('name', LINEAR_NAMES)
def test_dinos_linear_evaluation(load_config, name):
    cfg, model = narrow(load_config, name)
    assert cfg.train_cfg.max_epochs == 100 and cfg.train_dataloader.batch_size == 128
    assert cfg.optim_wrapper.optimizer == dict(type='SGD', lr=0.001 * 8 * 128 / 256, momentum=0.9, weight_decay=0)
    (scheduler,) = cfg.param_scheduler
    assert (scheduler.type, scheduler.T_max, scheduler.by_epoch) == ('CosineAnnealingLR', 100, True)
    assert [step.type for step in cfg.train_dataloader.dataset.pipeline] == [
        'LoadImageFromFile',
        'RandomResizedCrop',
        'RandomFlip',
        'PackInputs',
    ]
    assert cfg.train_dataloader.get('drop_last', False) is False
    assert model.head.fc.weight.std().item() == pytest.approx(0.01, rel=0.05) and (model.head.fc.bias == 0).all()
    images = torch.randn(2, 3, SIDE, SIDE)
    model.train()
    (feature,) = model.extract_feat(images)
    model.eval()
    assert not feature.requires_grad and torch.equal(feature, model.extract_feat(images)[0])
    assert feature.mean(dim=1).abs().max() < 1e-5  # means of tokens of mean 0: after the final LayerNorm
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {'head.fc.weight', 'head.fc.bias'}


def test_cls_token_can_be_probed_instead(load_config):
    _, model = narrow(load_config, LINEAR_NAMES[0], **{'model.backbone.out_type': 'cls_token', 'model.neck': None})
    model.eval()
    outputs = []
    model.backbone.ln1.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    (feature,) = model.extract_feat(torch.randn(2, 3, SIDE, SIDE))
    assert torch.equal(feature, outputs[0][:, 0])
