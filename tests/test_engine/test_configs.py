"""Every shipped pretraining config builds and takes one tiny step through the Runner."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

from mmssl_geo.apis.config import load_config
from mmssl_geo.apis.train import build_runner
from mmssl_geo.engine.runner_values import total_batch_size
from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError
from tests.support import ROOT
from tests.support.pretraining import TINY, tiny_settings

PRETRAIN = sorted(path.name for path in (ROOT / 'configs').glob('*.py') if not path.name.startswith('d3ssl'))


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp('photos')
    rng = np.random.default_rng(0)
    for index in range(6):
        Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)).save(folder / f'{index}.png')
    return folder


def test_all_configs_are_here():
    names = ('vits16_coco', 'vitb16_coco', 'vits16_ade20k', 'quickstart')
    assert {f'{method}_{name}.py' for method in ('gtsa', 'dino') for name in names} <= set(PRETRAIN)


@pytest.mark.parametrize('name', PRETRAIN)
def test_the_model_of_every_config_builds(name, default_scope):
    model = MODELS.build(Config.fromfile(ROOT / 'configs' / name).model)
    student = sum(param.numel() for param in model.parameters() if param.requires_grad)
    first = model.neck.mlp[0].in_features if name.startswith('dino') else model.neck.blocks[0].conv.in_channels
    assert student > 1e6 and model.backbone.embed_dims == first


def test_optimizers_set_nothing_that_the_schedule_overwrites():
    for path in sorted((ROOT / 'configs').glob('*.py')):
        cfg = Config.fromfile(path)
        assert 'schedule' in cfg.default_hooks and not {'lr', 'weight_decay'} & cfg.optim_wrapper.optimizer.keys()


@pytest.mark.parametrize('name', PRETRAIN)
def test_one_step_and_a_checkpoint(name, photos, tmp_path):
    crops = {'train_dataloader.dataset.data_prefix': '', 'train_dataloader.dataset.data_root': str(photos)}
    cfg = load_config(ROOT / 'configs' / name, {**tiny_settings(name), **crops}, work_dir=str(tmp_path / 'work'))
    cfg.model.backbone.pop('arch')
    cfg.model.backbone.arch = dict(embed_dims=24, num_layers=1, num_heads=2, feedforward_channels=48)
    crop = cfg.train_dataloader.dataset.pipeline.crop
    crop.global_size, crop.local_size, crop.num_local = 64, 32, 2
    cfg.train_dataloader.update(batch_size=3, num_workers=0, persistent_workers=False)
    cfg.train_cfg.max_epochs = 1
    cfg.experiment_name = f'config_test_{name}'
    runner = build_runner(cfg)
    assert isinstance(runner, Runner)
    weight = next(runner.model.neck.parameters())
    before = weight.detach().clone()
    runner.train()
    assert runner.iter == 2 and total_batch_size(runner) == 3
    assert not torch.equal(before, weight)
    assert (tmp_path / 'work' / 'epoch_1.pth').is_file()


def test_a_checkpoint_of_another_architecture_is_not_resumed(photos, tmp_path):
    def runner(width, resume=None):
        crops = {'train_dataloader.dataset.data_prefix': '', 'train_dataloader.dataset.data_root': str(photos)}
        cfg = load_config(ROOT / 'configs/gtsa_quickstart.py', {**TINY, **crops}, work_dir=str(tmp_path))
        cfg.model.backbone.arch = dict(embed_dims=width, num_layers=1, num_heads=2, feedforward_channels=48)
        cfg.train_dataloader.update(batch_size=3, num_workers=0)
        cfg.train_cfg.max_epochs = 1
        cfg.experiment_name = f'other_architecture_{width}'
        return build_runner(cfg, resume=resume)

    runner(24).train()
    with pytest.raises(UserError, match='does not fit the model to resume: .*have another shape.*it began with'):
        runner(32, resume='auto').train()


def test_the_papers_run():
    """The numbers of the official code, as the config holds them."""
    cfg = Config.fromfile(ROOT / 'configs/gtsa_vits16_coco.py')
    crop = cfg.train_dataloader.dataset.pipeline.crop
    assert (crop.global_size, crop.num_global, tuple(crop.global_scale)) == (224, 2, (0.3, 1.0))
    assert (crop.local_size, crop.num_local, tuple(crop.local_scale)) == (96, 8, (0.1, 0.3))
    assert cfg.train_dataloader.batch_size == 64 and cfg.train_dataloader.dataset.data_prefix == 'train2017/'
    assert cfg.train_cfg.max_epochs == 100 and cfg.optim_wrapper.clip_grad.max_norm == 3.0
    schedule = cfg.default_hooks.schedule
    assert (schedule.learning_rate.base, schedule.learning_rate.batch, schedule.learning_rate.end) == (5e-4, 256, 1e-6)
    assert (schedule.weight_decay.start, schedule.weight_decay.end, schedule.warmup_epochs) == (0.04, 0.4, 10)
    assert cfg.default_hooks.teacher_update.momentum == dict(start=0.996, end=1.0)
    assert (cfg.model.head.correspondence_weight, cfg.model.head.rotation_weight) == (0.5, 0.5)
    assert cfg.model.backbone.drop_path_rate == 0.1


@pytest.mark.parametrize('name', ['gtsa_vits16_small-data', 'gtsa_vitt16-d6_small-data'])
def test_the_small_data_recipe(name, monkeypatch):
    """docs/small_data.md; the small net has the recipe of the large one."""
    monkeypatch.setenv('CHECKPOINT', 'start.pth')
    cfg = load_config(ROOT / f'configs/{name}.py')
    assert cfg.model.head.decorrelation_loss.type == 'mmssl_geo.DecorrelationLoss'
    assert cfg.model.head.decorrelation_weight == 4
    assert cfg.model.backbone.drop_path_rate == 0 and cfg.model.backbone.init_cfg.checkpoint == 'start.pth'
    pipeline = cfg.train_dataloader.dataset.pipeline
    assert (tuple(pipeline.crop.global_scale), tuple(pipeline.crop.local_scale)) == ((0.1, 0.5), (0.03, 0.12))
    assert (pipeline.photometric.hue, pipeline.photometric.grayscale_prob) == (0.05, 0.1)
    assert dict(cfg.default_hooks.schedule.learning_rate) == dict(base=5e-4, batch=None, end=1e-6)
    assert cfg.default_hooks.teacher_update.momentum.start == 0.99 and cfg.optim_wrapper.dtype == 'bfloat16'
