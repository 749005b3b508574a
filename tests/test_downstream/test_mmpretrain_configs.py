"""Every classification config is built at its shipped size, with data in the true layout; slow tests go all the way."""

import mmpretrain.registry
import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from mmpretrain.evaluation import Accuracy

from mmssl_geo.apis.train import build_runner
from tests.support.exports import check_backbone_is_loaded, target_of, write_export
from tests.support.tiny_data import draw_photo, two_boxes

from .conftest import CONFIGS

NAMES = sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.glob('mmpretrain/*.py'))
PROTOCOLS = {
    f'mmpretrain/{name}.py'
    for name in (
        'finetune_vits16_gtsa_300e_inat19-224',
        'linear_vits16_frozen_100e_imagenet-224',
        'linear_vits16_frozen_100e_inat19-224',
    )
}
CLASSES = 6
SIDE = 32


@pytest.fixture(scope='session')
def imagenet_root(tmp_path_factory):
    """ImageNet's layout: train/<class>/*.JPEG, val/<class>/*.JPEG."""
    root, rng = tmp_path_factory.mktemp('imagenet'), np.random.default_rng(0)
    for split in ('train', 'val'):
        for number in range(CLASSES):
            path = root / split / f'n{number:08}' / f'n{number:08}_1.JPEG'
            draw_photo(path, two_boxes((64, 96)), (64, 96), rng)
    return root


@pytest.fixture
def load(load_config, inat_root, imagenet_root, monkeypatch):
    """Loads a config with the tiny data and their number of classes."""

    def load(name):
        monkeypatch.setenv('DATA_ROOT', str(inat_root if 'inat19' in name else imagenet_root))
        cfg = load_config(name, **{'model.head.num_classes': CLASSES, 'model.data_preprocessor.num_classes': CLASSES})
        if 'num_classes' in cfg.model.head.loss:
            cfg.model.head.loss.num_classes = CLASSES
        return cfg

    return load


def test_all_protocols_are_here():
    assert set(NAMES) == PROTOCOLS


@pytest.mark.parametrize('name', NAMES)
def test_config_builds(load_config, load, name):
    shipped = load_config(name).model
    classes = 1010 if 'inat19' in name else 1000
    assert shipped.head.num_classes == shipped.data_preprocessor.num_classes == classes
    assert shipped.head.loss.get('num_classes', classes) == classes
    model = mmpretrain.registry.MODELS.build(shipped)
    assert model.head.fc.out_features == classes
    cfg = load(name)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    trained = {p for group in groups for p in group['params'] if p.requires_grad}
    assert trained == set((model.head if '_frozen_' in name else model).parameters())
    for split, count in dict(train=2 if 'inat19' in name else 1, val=1, test=1).items():
        data = mmpretrain.registry.DATASETS.build(cfg[f'{split}_dataloader'].dataset)
        assert len(data) == count * CLASSES and len(data.CLASSES) == CLASSES
        assert sorted(data.get_gt_labels().tolist()) == sorted(list(range(CLASSES)) * count)
        assert data[0]['inputs'].shape == (3, 224, 224) and data[0]['inputs'].dtype == torch.uint8
    metric = mmpretrain.registry.METRICS.build(cfg.val_evaluator)
    assert isinstance(metric, Accuracy) and metric.topk == (1, 5)


@pytest.mark.parametrize('name', NAMES)
def test_header_names_the_export_that_fits(load_config, name):
    header = (CONFIGS / name).read_text().split('_base_ =')[0]
    if 'CHECKPOINT=' in header:
        assert f'CHECKPOINT=vits16_{target_of(load_config(name))}.pth in the environment' in header


def make_runner(cfg, tmp_path):
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False, batch_size=CLASSES)
        for step in loader.dataset.pipeline:
            if step.type == 'RandomResizedCrop':
                step.scale = SIDE
            if step.type == 'CenterCrop':
                step.crop_size = SIDE
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.update(work_dir=str(tmp_path / 'work'), experiment_name=tmp_path.name, launcher='none')
    return build_runner(cfg)


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_steps_and_evaluation_from_a_converted_checkpoint(load, tmp_path, monkeypatch, name):
    monkeypatch.setattr(Runner, '_log_env', lambda *_: None)  # it starts compilers to ask their versions
    monkeypatch.setenv('CHECKPOINT', str(tmp_path / 'export.pth'))
    cfg = load(name)
    weights = write_export(cfg, tmp_path / 'export.pth')
    runner = make_runner(cfg, tmp_path)
    runner.model.init_weights()
    check_backbone_is_loaded(runner.model.backbone, weights)
    before = {key: value.clone() for key, value in runner.model.named_parameters()}
    runner.train()
    assert runner.iter == (2 if 'inat19' in name else 1)
    changed = {
        key.split('.')[0] for key, value in runner.model.named_parameters() if not torch.equal(value, before[key])
    }
    assert changed == ({'head'} if '_frozen_' in name else {'head', 'backbone'})
    scalars = runner.message_hub.log_scalars
    assert 0 <= scalars['val/accuracy/top1'].current() <= scalars['val/accuracy/top5'].current() <= 100


@pytest.mark.slow
def test_another_number_of_classes_stops_the_run(load, tmp_path, monkeypatch):
    monkeypatch.setattr(Runner, '_log_env', lambda *_: None)
    cfg = load('mmpretrain/linear_vits16_frozen_100e_imagenet-224.py')
    cfg.model.head.num_classes = CLASSES + 1
    with pytest.raises(AssertionError, match=r'`num_classes` \(7\) in LinearClsHead .* does not matches'):
        make_runner(cfg, tmp_path).train()
