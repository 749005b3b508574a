"""The config that a run writes into its work directory, whose keys are sorted, trains as the original does."""

import os
import subprocess
import sys
from pathlib import Path

import mmpretrain
import pytest
import torch
from mmengine.runner import Runner

from mmssl_geo.apis.config import load_config
from mmssl_geo.apis.train import build_runner
from tests.support import ROOT
from tests.support.regions import tiny_run, write_noise

NAME = 'd3ssl_quickstart'


@pytest.fixture
def weights_of_first_run(tmp_path, monkeypatch):
    """Final weights of a run of one epoch that has left its config in `tmp_path/first`."""
    monkeypatch.setattr(Runner, '_log_env', lambda *_: None)  # spares the seconds in which compilers start
    (tmp_path / 'photos').mkdir()
    cfg = tiny_run(NAME, write_noise(tmp_path / 'photos'), tmp_path / 'first')
    object.__setattr__(cfg, '_filename', str(ROOT / f'configs/{NAME}.py'))
    build_runner(cfg).train()
    return final_weights(tmp_path / 'first')


def final_weights(work_dir):
    return torch.load(work_dir / 'epoch_1.pth', weights_only=False)['state_dict']


def assert_equal(weights, others):
    assert weights.keys() == others.keys()
    assert all(torch.equal(weights[key], others[key]) for key in weights)


def test_a_dumped_config_trains_to_the_same_weights(weights_of_first_run, tmp_path):
    cfg = load_config(tmp_path / f'first/{NAME}.py', work_dir=str(tmp_path / 'second'))
    assert next(iter(cfg.train_dataloader.dataset.pipeline)) == 'pack', 'keys are sorted'
    cfg.experiment_name = f'{tmp_path.name}_second'
    build_runner(cfg).train()
    assert_equal(weights_of_first_run, final_weights(tmp_path / 'second'))


@pytest.mark.slow
def test_a_dumped_config_trains_with_the_tool_of_mmpretrain(weights_of_first_run, tmp_path):
    tool = Path(mmpretrain.__file__).parent / '.mim/tools/train.py'
    if not tool.is_file():
        pytest.skip('this mmpretrain is installed without its tools')
    done = subprocess.run(
        [
            sys.executable,
            '-W',
            'ignore',
            str(tool),
            str(tmp_path / f'first/{NAME}.py'),
            '--work-dir',
            str(tmp_path / 'second'),
        ],
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert_equal(weights_of_first_run, final_weights(tmp_path / 'second'))
