"""The probe during pretraining: what it says, and that training does not notice it."""

import itertools
import json
import random

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook

from mmssl_geo.apis.config import load_config
from mmssl_geo.apis.train import build_runner
from mmssl_geo.checkpoints import load_encoder
from mmssl_geo.engine import ProbeHook
from mmssl_geo.evaluation.probes import evaluate_backbone
from mmssl_geo.utils.errors import UserError
from tests.support import ROOT
from tests.support.labelled_images import write_classes, write_label_maps, write_objects
from tests.support.pretraining import TINY, TINY_DINO
from tests.support.regions import make_runs_start_quickly, tiny_run, write_noise
from tests.support.tools import train_on_two_processes

RUN = itertools.count()
METHODS = ['gtsa_vits16_coco', 'dino_vits16_coco', 'd3ssl_quickstart', 'd3ssl_r18_photos']


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    make_runs_start_quickly(monkeypatch)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    (root / 'photos').mkdir()
    write_noise(root / 'photos')
    write_classes(root / 'train', 4, shuffled=True)
    write_classes(root / 'val', 4, shuffled=True, seed=1)
    return root


def config(name, data, work_dir, **hook):
    """A run of 2 epochs of 2 iterations, without the hook that seeds every step."""
    if name.startswith('d3ssl'):
        cfg = tiny_run(name, data / 'photos', work_dir)
    else:
        cfg = load_config(
            ROOT / f'configs/{name}.py',
            {
                **(TINY if name.startswith('gtsa') else TINY_DINO),
                'train_dataloader.dataset.data_root': str(data / 'photos'),
                'train_dataloader.dataset.data_prefix': '',
                'train_dataloader.dataset.pipeline.crop.global_size': 64,
                'train_dataloader.dataset.pipeline.crop.local_size': 32,
                'train_dataloader.dataset.pipeline.crop.num_local': 2,
            },
            work_dir=str(work_dir),
        )
        cfg.model.backbone.pop('arch')
        cfg.model.backbone.arch = dict(embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48)
        cfg.train_dataloader.update(batch_size=3, num_workers=0, persistent_workers=False)
    if cfg.model.backbone.type == 'mmssl_geo.SSLVisionTransformer':
        cfg.model.backbone.drop_path_rate = 0.3
    cfg.default_hooks.pop('step_seed')
    cfg.experiment_name = f'probed_{next(RUN)}'  # mmengine gives runs of one name in one second the same log
    cfg.default_hooks.schedule.warmup_epochs = 1
    cfg.train_cfg.max_epochs = 2
    cfg.visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])
    if hook:
        cfg.default_hooks.probe = dict(type='mmssl_geo.ProbeHook', **hook)
    return cfg


class Watch(Hook):
    """Random states and modes as the training sees them, before every iteration and at the end."""

    priority = 'VERY_LOW'

    def __init__(self):
        self.seen = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.seen.append(
            (
                torch.get_rng_state().tolist(),
                np.random.get_state()[1].tolist(),
                random.getstate(),
                [module.training for module in runner.model.modules()],
            )
        )

    def after_train(self, runner):
        self.before_train_iter(runner, 0)


def train(cfg):
    torch.manual_seed(3)
    np.random.seed(3)
    random.seed(3)
    runner = build_runner(cfg)
    watch = Watch()
    runner.register_hook(watch)
    runner.train()
    return runner, watch.seen


def logged(work_dir):
    (path,) = work_dir.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if any(key.startswith('probe/') for key in line)]


@pytest.mark.parametrize('name', METHODS)
def test_training_is_the_same_bitwise_with_and_without(name, data, tmp_path):
    plain, seen = train(config(name, data, tmp_path / 'plain'))
    probed, also_seen = train(
        config(
            name, data, tmp_path / 'probed', probe='linear', train=str(data / 'train'), val=str(data / 'val'), size=64
        )
    )
    assert seen == also_seen and len(seen) == 5
    a, b = plain.model.state_dict(), probed.model.state_dict()
    assert a.keys() == b.keys() and all(torch.equal(value, b[key]) for key, value in a.items())
    assert [line['step'] for line in logged(tmp_path / 'probed')] == [0, 2, 4]
    assert logged(tmp_path / 'plain') == []


@pytest.mark.parametrize(
    'name, network', [('dino_vits16_coco', 'teacher'), ('d3ssl_r18_photos', 'teacher'), ('gtsa_vits16_coco', 'student')]
)
def test_its_last_value_is_that_of_the_checkpoint(name, network, data, tmp_path):
    cfg = config(
        name,
        data,
        tmp_path / 'run',
        probe='knn',
        train=str(data / 'train'),
        val=str(data / 'val'),
        size=64,
        network=network,
        ks=[3],
        num_train=7,
        seed=2,
        interval=5,
    )
    runner, _ = train(cfg)
    (hook,) = (hook for hook in runner.hooks if isinstance(hook, ProbeHook))
    model = runner.model  # the values of so short a run hardly differ
    assert hook._backbone(runner) is (model.teacher if network == 'teacher' else model).backbone
    first, last = logged(tmp_path / 'run')
    assert (first['step'], last['step']) == (0, 4), 'before training, and at the end, which is no fifth epoch'
    encoder = load_encoder(tmp_path / 'run' / 'epoch_2.pth', network, None if name.startswith('d3ssl') else 2)
    measured = evaluate_backbone(hook.probe, encoder.net, [2], 'cpu')
    assert last == {'step': 4, 'probe/top1_k3': pytest.approx(100 * measured['top1_k3'].mean)}


def test_objects_and_segmentation(data, tmp_path):
    objects = [[str(path) for path in write_objects(tmp_path / part, 4, seed)] for seed, part in enumerate('ab')]
    maps = [[str(path) for path in write_label_maps(tmp_path / part, 4, seed=seed)] for seed, part in enumerate('cd')]
    cfg = config(
        'gtsa_vits16_coco',
        data,
        tmp_path / 'run',
        probe='object-knn',
        train=objects[0],
        val=objects[1],
        size=96,
        min_side=16,
    )
    cfg.custom_hooks = [
        dict(type='mmssl_geo.ProbeHook', probe='segmentation', train=maps[0], val=maps[1], size=64, num_classes=3)
    ]
    train(cfg)
    keys = [sorted(line.keys() - {'step'}) for line in logged(tmp_path / 'run')]
    assert (
        keys
        == [
            ['probe/object_top1_k10', 'probe/object_top1_k20', 'probe/objects_evaluated'],
            ['probe/aAcc', 'probe/mAcc', 'probe/mIoU'],
        ]
        * 3
    )


def test_its_mistakes_are_found_before_training(data, tmp_path):
    good = dict(probe='knn', train=str(data / 'train'), val=str(data / 'val'), size=64)
    for number, (change, sentence) in enumerate(
        [
            (dict(probe='nothing'), 'probe must be one of knn, linear'),
            (dict(network='both'), 'network must be teacher or student, got both'),
            (dict(val=str(data / 'nowhere')), 'no such image folder'),
            (dict(size=72), 'views of 72 px do not divide into cells of 16 px'),
            (dict(colour=1), 'unexpected keyword argument'),
        ]
    ):
        with pytest.raises(UserError, match=sentence):
            cfg = config('gtsa_vits16_coco', data, tmp_path / str(number), **{**good, **change})
            runner = build_runner(cfg)
            runner.train()
            raise AssertionError('it has trained')
    write_classes(tmp_path / 'broken', 2)
    (tmp_path / 'broken' / 'blue' / '1.png').write_bytes(b'no image')
    runner = build_runner(
        config('gtsa_vits16_coco', data, tmp_path / 'run', **{**good, 'val': str(tmp_path / 'broken')})
    )
    with pytest.raises(UserError, match='an image cannot be read.*blue/1.png'):
        runner.train()
    assert runner.iter == 0


@pytest.mark.slow
def test_two_processes_continue_while_the_first_evaluates(data, tmp_path):
    options = {
        'train_dataloader.dataset.data_root': data / 'photos',
        'train_dataloader.dataset.data_prefix': '',
        'train_dataloader.dataset.pipeline.views.size': 64,
        'train_dataloader.dataset.pipeline.x2_small.size': 32,
        'model.backbone.base_channels': 8,
        'model.backbone.stem_channels': 8,
        'train_dataloader.num_workers': 0,
        'train_dataloader.batch_size': 2,
        'train_cfg.max_epochs': 2,
        'default_hooks.probe.type': 'mmssl_geo.ProbeHook',
        'default_hooks.probe.probe': 'knn',
        'default_hooks.probe.train': data / 'train',
        'default_hooks.probe.val': data / 'val',
        'default_hooks.probe.size': 64,
    }
    output = train_on_two_processes('configs/d3ssl_r18_photos.py', tmp_path, options, port=29631)
    assert output.count('probe of the teacher, %: top1_k10') == 3
    assert output.count('2 processes hold identical student and teacher weights') == 2
