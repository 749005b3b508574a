import os

import pytest
from mmengine.config import Config

from mmssl_geo.benchmark.plan.configs import (
    accumulate_gradients,
    config_digest,
    config_text,
    environment,
    file_digest,
    recipe_config,
    scale_batch_size,
    task_config,
)
from mmssl_geo.benchmark.plan.suite import Recipe, Task
from mmssl_geo.utils.errors import UserError

TASK = Task('detect', 'coco', {}, config='configs/downstream/mmdet/mask-rcnn_r50_d3ssl_c4_1x_coco.py', gpus=8)


def test_config_of_a_task(monkeypatch):
    monkeypatch.setenv('CHECKPOINT', 'of_the_caller.pth')
    cfg = task_config(TASK, '/data, mine', '/w.pth', 3, {'optim_wrapper.optimizer.lr': 0.5})
    assert cfg.train_dataloader.dataset.data_root == '/data, mine'
    assert cfg.test_evaluator.ann_file == '/data, mine/annotations/instances_val2017.json'
    assert cfg.model.backbone.init_cfg.checkpoint == cfg.model.roi_head.shared_head.init_cfg.checkpoint == '/w.pth'
    assert cfg.randomness.seed == 3 and cfg.optim_wrapper.optimizer.lr == 0.5
    assert not task_config(TASK, '/data', None, 0, {}).model.backbone.init_cfg.checkpoint
    assert os.environ['CHECKPOINT'] == 'of_the_caller.pth'


def test_the_command_line_overrides_the_suite():
    task = Task('detect', 'coco', {}, config=TASK.config, cfg_options={'train_cfg.max_epochs': 5, 'log_level': 'ERROR'})
    cfg = task_config(task, '/data', None, 0, {'train_cfg.max_epochs': 2})
    assert cfg.train_cfg.max_epochs == 2 and cfg.log_level == 'ERROR'


def test_config_of_a_recipe():
    recipe = Recipe(
        'd3ssl',
        'configs/d3ssl_r50_coco.py',
        'coco',
        cfg_options={'train_dataloader.dataset.pipeline.regions.file': '{data}/proposals.safetensors'},
    )
    dataset = recipe_config(recipe, '/my, coco').train_dataloader.dataset
    assert dataset.data_root == '/my, coco' and dataset.pipeline.regions.file == '/my, coco/proposals.safetensors'


@pytest.mark.parametrize('processes, batch', [(8, 2), (4, 4), (1, 16), (16, 1)])
def test_a_task_keeps_its_total_batch(processes, batch):
    cfg = Config(dict(train_dataloader=dict(batch_size=2)))
    assert scale_batch_size(cfg, 8, processes).train_dataloader.batch_size == batch
    assert cfg.train_dataloader.batch_size == 2


@pytest.mark.parametrize('processes, counts', [(8, None), (2, 12), (1, 24)])
def test_a_pretraining_keeps_its_total_batch(processes, counts):
    own = {} if counts is None else dict(accumulative_counts=3)
    cfg = Config(dict(optim_wrapper=own, train_dataloader=dict(batch_size=64)))
    changed = accumulate_gradients(cfg, 8, processes)
    assert changed.optim_wrapper.get('accumulative_counts') == counts
    assert changed.train_dataloader.batch_size == 64


def test_batches_that_cannot_be_divided():
    cfg = Config(dict(optim_wrapper={}, train_dataloader=dict(batch_size=2)))
    with pytest.raises(UserError, match='total batch of 16 cannot be divided by 5 processes'):
        scale_batch_size(cfg, 8, 5)
    with pytest.raises(UserError, match='its 8 GPUs cannot be divided by 3'):
        accumulate_gradients(cfg, 8, 3)


def test_the_written_config_is_the_config(tmp_path):
    cfg = recipe_config(Recipe('gtsa', 'configs/gtsa_quickstart.py', 'scenes'), '/data, mine')
    (tmp_path / 'config.py').write_text(config_text(cfg))
    read = Config.fromfile(tmp_path / 'config.py')
    assert read.to_dict() == cfg.to_dict()
    steps = list(read.train_dataloader.dataset.pipeline)
    assert steps == list(cfg.train_dataloader.dataset.pipeline) != sorted(steps)
    reordered = Config(dict(pipeline=dict(b=1, a=2))), Config(dict(pipeline=dict(a=2, b=1)))
    assert len({config_digest(one, []) for one in reordered}) == 2


def test_digests(tmp_path):
    one, moved, other = (Config(dict(root=root, lr=lr)) for root, lr in (('/a/x', 1), ('/b/x', 1), ('/a/x', 2)))
    assert config_digest(one, ['/a']) == config_digest(moved, ['/b']) != config_digest(other, ['/a'])
    (tmp_path / 'f').write_bytes(b'abc')
    assert file_digest(tmp_path / 'f').startswith('ba7816bf8f01cfea414140de5dae2223')  # SHA-256 of 'abc', FIPS 180


def test_environment_variables_are_restored(monkeypatch):
    monkeypatch.setenv('DATA_ROOT', 'old')
    monkeypatch.delenv('CHECKPOINT', raising=False)
    with pytest.raises(ZeroDivisionError), environment(DATA_ROOT='new', CHECKPOINT='w'):
        assert os.environ['DATA_ROOT'] == 'new'
        raise ZeroDivisionError
    assert os.environ['DATA_ROOT'] == 'old' and 'CHECKPOINT' not in os.environ
