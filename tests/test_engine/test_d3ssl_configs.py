"""Every shipped D3SSL config builds and takes a tiny step through the Runner."""

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmssl_geo.apis.train import build_runner
from mmssl_geo.models import SSLResNet
from mmssl_geo.registry import MODELS, TRANSFORMS
from tests.support import ROOT
from tests.support.regions import make_runs_start_quickly, tiny_run, write_noise

D3SSL = sorted(path.stem for path in (ROOT / 'configs').glob('d3ssl*.py'))
SETTINGS = ('r50_coco', 'quickstart', 'r18_photos')
VARIANTS = {'d3ssl-base': (False, False), 'd3ssl-dc': (True, False), 'd3ssl-dp': (False, True), 'd3ssl': (True, True)}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    make_runs_start_quickly(monkeypatch)


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    return write_noise(tmp_path_factory.mktemp('photos'))


def test_all_are_here():
    variants = {f'{variant}_{setting}' for variant in VARIANTS for setting in SETTINGS}
    assert set(D3SSL) == variants | {
        'd3ssl_vits16_coco',
        'd3ssl_vitt16-d6_photos',
        'd3ssl_r50_openimages-mini',
        'd3ssl-mix_vits16_coco',
    }


@pytest.mark.parametrize('name', [name for name in D3SSL if name.startswith('d3ssl_')])
def test_the_model_of_every_setting_builds(name, default_scope):
    model = MODELS.build(Config.fromfile(ROOT / f'configs/{name}.py').model)
    assert model.neck.mlp[0].in_features == model.backbone.feature_channels
    assert model.head.predictor.mlp[0].in_features == model.neck.out_channels == model.head.predictor.out_channels


@pytest.mark.parametrize('name', D3SSL)
def test_two_steps_and_a_checkpoint(name, photos, tmp_path):
    runner = build_runner(tiny_run(name, photos, tmp_path / 'work'))
    assert isinstance(runner, Runner)
    before = runner.model.neck.mlp[0].weight.detach().clone()
    runner.train()
    assert runner.iter == 2 and (tmp_path / 'work' / 'epoch_1.pth').is_file()
    assert not torch.equal(before, runner.model.neck.mlp[0].weight)
    augmented, positioned = VARIANTS[name.split('_')[0].removesuffix('-mix')]
    scalars = runner.message_hub.log_scalars
    assert ('train/loss_dp' in scalars) == positioned and 'train/loss_dc' in scalars
    assert ('train/mixed_share' in scalars) == positioned
    assert ('train/cut_share_x1_cut' in scalars) == augmented
    assert ('train/loss_mixing' in scalars) == ('-mix' in name)


@pytest.mark.parametrize('setting', SETTINGS)
@pytest.mark.parametrize('variant', VARIANTS)
def test_what_a_variant_switches(variant, setting, default_scope):
    augmented, positioned = VARIANTS[variant]
    cfg = Config.fromfile(ROOT / f'configs/{variant}_{setting}.py')
    pipeline = cfg.train_dataloader.dataset.pipeline
    assert (pipeline.x3 is not None) == positioned
    for name in ('x1_cut', 'x2_small'):
        step = TRANSFORMS.build(pipeline[name])
        kinds = [type(transform).__name__ for transform in step.steps.transforms]
        assert kinds == ['PhotometricAugmentation'] + (['RegionCutout', 'ContextCrop'] if augmented else [])
    whole = Config.fromfile(ROOT / f'configs/d3ssl_{setting}.py')
    for key in ('model', 'optim_wrapper', 'default_hooks', 'train_cfg', 'sync_bn'):
        assert cfg[key] == whole[key], 'the variants differ in their views alone'


def test_the_papers_run(default_scope):
    """SoCo's numbers, as the config holds them."""
    cfg = Config.fromfile(ROOT / 'configs/d3ssl_r50_coco.py')
    model = MODELS.build(cfg.model)
    widths = [layer.out_features for mlp in (model.neck.mlp, model.head.predictor.mlp) for layer in (mlp[0], mlp[3])]
    assert isinstance(model.backbone, SSLResNet) and model.backbone.depth == 50 and widths == [4096, 256] * 2
    assert model.neck.mlp[0].in_features == 2048 and model.teacher_views == dict(x1='x1', x2='x2')
    assert (model.head.dc_weight, model.head.dp_weight) == (1, 1)
    optimizer, schedule = cfg.optim_wrapper.optimizer, cfg.default_hooks.schedule
    assert (optimizer.type, optimizer.momentum, optimizer.eta) == ('mmpretrain.LARS', 0.9, 0.001)
    assert 'clip_grad' not in cfg.optim_wrapper
    assert (schedule.learning_rate.base, schedule.learning_rate.batch, schedule.warmup_epochs) == (1.0, 256, 10)
    assert schedule.weight_decay == dict(start=1e-5, end=1e-5) and cfg.train_cfg.max_epochs == 100
    assert cfg.default_hooks.teacher_update.momentum == dict(start=0.99, end=1.0) and cfg.sync_bn == 'torch'
    pipeline = cfg.train_dataloader.dataset.pipeline
    assert (pipeline.views.size, pipeline.x2_small.size, pipeline.views.num_regions) == (224, 112, 4)
    assert pipeline.regions.type == 'mmssl_geo.LoadRegions'


def test_the_vits_run():
    cfg = Config.fromfile(ROOT / 'configs/d3ssl_vits16_coco.py')
    assert cfg.optim_wrapper.optimizer.type == 'AdamW' and cfg.model.backbone.arch == 'deit-small'
    assert cfg.default_hooks.teacher_update.momentum == dict(start=0.996, end=1.0)


def test_gradient_accumulation_and_lars_move_the_weights_once(photos, tmp_path):
    cfg = tiny_run('d3ssl_r18_photos', photos, tmp_path / 'work', **{'optim_wrapper.accumulative_counts': 2})
    runner = build_runner(cfg)
    groups = runner.optim_wrapper.optimizer.param_groups
    assert type(runner.optim_wrapper.optimizer).__name__ == 'LARS'
    assert [(group['decayed'], group['lars_exclude']) for group in groups] == [(True, False), (False, True)]
    assert all((param.ndim == 1) == group['lars_exclude'] for group in groups for param in group['params'])
    runner.train()
    assert [group['weight_decay'] for group in groups] == [1e-5, 0.0]
