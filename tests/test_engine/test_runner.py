"""None removes any hook, in this project's tools and in mmpretrain's."""

import subprocess
import sys

import mmpretrain
import pytest

from mmssl_geo.apis.config import load_config
from mmssl_geo.apis.train import build_runner
from mmssl_geo.utils.errors import UserError
from tests.support import ROOT
from tests.support.pretraining import TINY
from tests.support.regions import write_noise

CONFIG = ROOT / 'configs/gtsa_quickstart.py'
REMOVED = {'default_hooks.throughput': None, 'default_hooks.logger': None}


@pytest.fixture
def options(tmp_path):
    photos = tmp_path / 'photos'
    photos.mkdir()
    write_noise(photos)
    return {
        **TINY,
        'train_dataloader.dataset.data_root': str(photos),
        'train_dataloader.dataset.data_prefix': '',
        'train_dataloader.batch_size': 2,
        'train_dataloader.num_workers': 0,
        'train_cfg.max_epochs': 1,
    }


def names(runner):
    return {type(hook).__name__ for hook in runner.hooks}


def test_none_removes_hooks(options, tmp_path):
    kept = names(build_runner(load_config(CONFIG, options, work_dir=tmp_path / 'a')))
    runner = build_runner(load_config(CONFIG, {**options, **REMOVED}, work_dir=tmp_path / 'b'))
    assert kept - names(runner) == {'ThroughputHook', 'LoggerHook'}


def test_none_removes_custom_hooks(options, tmp_path):
    cfg = load_config(CONFIG, options, work_dir=tmp_path)
    cfg.custom_hooks = [None, dict(type='EMAHook')]
    assert 'EMAHook' in names(build_runner(cfg))


def test_a_hook_that_does_not_exist_cannot_be_removed():
    with pytest.raises(UserError, match='default_hooks.throughputt: the config has no hook throughputt; did you mean'):
        load_config(CONFIG, {'default_hooks.throughputt': None})


@pytest.mark.slow
def test_under_the_tool_of_mmpretrain(options, tmp_path):
    tool = f'{mmpretrain.__path__[0]}/.mim/tools/train.py'
    options = {**options, **REMOVED, 'train_dataloader.num_workers': 1}  # 0 conflicts with persistent_workers there
    words = [f'{key}={value}' for key, value in options.items()]
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', tool, str(CONFIG), '--work-dir', str(tmp_path), '--cfg-options', *words],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert 'ThroughputHook' not in done.stdout + done.stderr
