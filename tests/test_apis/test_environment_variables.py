"""CHECKPOINT and DATA_ROOT: what configs do with them, and what happens to those that no config reads."""

import pytest
import torch

from mmssl_geo.apis.config import load_config
from mmssl_geo.apis.train import build_runner
from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError
from tests.support import ROOT
from tests.support.pretraining import TINY

CONFIGS = ROOT / 'configs'
PRETRAINING = sorted(path.name for path in CONFIGS.glob('*.py'))
DOWNSTREAM = sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.glob('downstream/mm*/*.py'))
KEY = 'model.backbone.init_cfg.checkpoint'
CONFIG = CONFIGS / 'gtsa_vits16_coco.py'


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    monkeypatch.delenv('CHECKPOINT', raising=False)
    monkeypatch.delenv('DATA_ROOT', raising=False)


@pytest.mark.parametrize('name', PRETRAINING)
def test_every_pretraining_config_takes_checkpoint(name, monkeypatch):
    assert not load_config(CONFIGS / name).model.backbone.init_cfg.checkpoint
    monkeypatch.setenv('CHECKPOINT', '/my weights/a.pth')
    assert load_config(CONFIGS / name).model.backbone.init_cfg.checkpoint == '/my weights/a.pth'


@pytest.mark.parametrize('name', DOWNSTREAM)
def test_every_downstream_config_takes_both(name, monkeypatch):
    monkeypatch.setenv('CHECKPOINT', '/my weights/a.pth')
    monkeypatch.setenv('DATA_ROOT', '/my/data')
    cfg = load_config(CONFIGS / name)
    assert cfg.model.backbone.init_cfg.checkpoint == '/my weights/a.pth'
    assert '/my/data' in str(cfg.train_dataloader)


def test_a_variable_that_is_not_used_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv('DATA_ROOT', '/data/coco')
    with pytest.raises(UserError, match='DATA_ROOT=/data/coco is set, but the config does not use it: unset DATA_ROOT'):
        load_config(CONFIG)
    monkeypatch.setenv('DATA_ROOT', '')
    assert load_config(CONFIG).train_dataloader.dataset.data_root == 'data/coco/'
    path = tmp_path / 'mine.py'
    path.write_text(f'_base_ = {str(CONFIG)!r}\nmodel = dict(backbone=dict(init_cfg=None))\n')
    monkeypatch.setenv('CHECKPOINT', 'a.pth')
    with pytest.raises(UserError, match=f'CHECKPOINT=a.pth is set, .* unset CHECKPOINT, or set {KEY}='):
        load_config(path)


def test_a_variable_that_is_a_part_of_a_path_is_used(monkeypatch, tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(
        f'_base_ = {str(CONFIG)!r}\nimport os\n'
        "train_dataloader = dict(dataset=dict(data_root=os.environ['DATA_ROOT'] + '/photos'))\n"
    )
    monkeypatch.setenv('DATA_ROOT', '/data')
    assert load_config(path).train_dataloader.dataset.data_root == '/data/photos'


def test_an_option_takes_precedence(monkeypatch, capsys):
    monkeypatch.setenv('CHECKPOINT', 'a.pth')
    assert load_config(CONFIG, {KEY: 'b.pth'}).model.backbone.init_cfg.checkpoint == 'b.pth'
    assert f'--cfg-options {KEY} takes precedence over CHECKPOINT=a.pth' in capsys.readouterr().err


def test_checkpoint_beside_load_from_and_resume(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv('CHECKPOINT', 'a.pth')
    with pytest.raises(UserError, match='CHECKPOINT=a.pth and load_from=b.pth both give initial weights'):
        build_runner(load_config(CONFIG, {'load_from': 'b.pth'}, work_dir=tmp_path))
    cfg = load_config(CONFIG, work_dir=tmp_path)
    with pytest.raises(UserError, match='found no checkpoint'):
        build_runner(cfg, resume='auto')
    assert cfg.model.backbone.init_cfg is None, 'the file is not read'
    assert '--resume restores all weights, so CHECKPOINT=a.pth has no effect' in capsys.readouterr().err


@pytest.mark.parametrize('name', ['gtsa', 'dino', 'd3ssl'])
def test_the_student_is_loaded_and_the_teacher_is_its_copy(name, monkeypatch, tmp_path, default_scope):
    from mmssl_geo.utils import register_all_modules

    register_all_modules(init_default_scope=False)
    options = {
        'model.backbone.arch': dict(_delete_=True, embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48),
        'model.backbone.img_size': 64,
    }
    path = CONFIGS / f'{name}_vits16_coco.py'
    backbone = MODELS.build(load_config(path, options).model.backbone)
    torch.save({key: torch.full_like(value, 0.25) for key, value in backbone.state_dict().items()}, tmp_path / 'a.pth')
    monkeypatch.setenv('CHECKPOINT', str(tmp_path / 'a.pth'))
    model = MODELS.build(load_config(path, options).model)
    model.init_weights()
    teacher = {key: value for key, value in model.state_dict().items() if 'teacher' in key and 'backbone' in key}
    assert teacher and all((value == 0.25).all() for value in teacher.values())
    assert all((value == 0.25).all() for value in model.backbone.state_dict().values())
    assert not all((value == 0.25).all() for value in model.neck.state_dict().values())
    torch.save({'cls_token': torch.zeros(1, 1, 24)}, tmp_path / 'a.pth')
    with pytest.raises(UserError, match=r'a\.pth does not fit the backbone'):
        MODELS.build(load_config(path, options).model).init_weights()


def test_a_dumped_config_does_not_read_the_variable(monkeypatch, tmp_path):
    monkeypatch.setenv('CHECKPOINT', 'a.pth')
    load_config(CONFIG, TINY).dump(tmp_path / 'dumped.py')
    with pytest.raises(UserError, match='CHECKPOINT=a.pth is set, but the config does not use it'):
        load_config(tmp_path / 'dumped.py')
    monkeypatch.delenv('CHECKPOINT')
    assert load_config(tmp_path / 'dumped.py').model.backbone.init_cfg.checkpoint == 'a.pth'
