"""Whole runs through the command line: resumed equals uninterrupted, errors are one sentence."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

from mmssl_geo.checkpoints import read_checkpoint
from tests.support import ROOT
from tests.support.pretraining import tiny_settings

METHODS = ['gtsa', 'dino']
SETTINGS = {
    'model.backbone.drop_path_rate': 0.2,  # the global random state must be resumed as well
    'train_dataloader.batch_size': 4,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'train_dataloader.dataset.data_prefix': '',
    'train_dataloader.dataset.pipeline.crop.global_size': 64,
    'train_dataloader.dataset.pipeline.crop.local_size': 32,
    'train_dataloader.dataset.pipeline.crop.num_local': 2,
    'default_hooks.logger.interval': 1,
    'default_hooks.schedule.warmup_epochs': 1,
    'train_cfg.max_epochs': 3,
}


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp('photos')
    rng = np.random.default_rng(0)
    for index in range(16):
        coarse = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((96, 72), Image.Resampling.BICUBIC).save(folder / f'{index}.jpg')
    return folder


def train(photos, work_dir, *args, method='gtsa', launcher=(), env=None, **overrides):
    options = {**tiny_settings(method), **SETTINGS, 'train_dataloader.dataset.data_root': photos, **overrides}
    command = list(launcher) or [
        sys.executable,
        '-W',
        'ignore',
        str(ROOT / 'tools/train.py'),
        str(ROOT / f'configs/{method}_vits16_coco.py'),
    ]
    arch = 'model.backbone.arch=deit-tiny'
    return subprocess.Popen(
        [
            *command,
            '--work-dir',
            str(work_dir),
            *args,
            '--cfg-options',
            arch,
            *(f'{key}={str(value).replace(" ", "")}' for key, value in options.items()),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(env or {})},
    )


def finish(process):
    output, _ = process.communicate(timeout=400)
    return process.returncode, output


def assert_same_training_state(a, b):
    a, b = read_checkpoint(a), read_checkpoint(b)
    assert a['state_dict'].keys() == b['state_dict'].keys()
    for name, value in a['state_dict'].items():
        assert torch.equal(value, b['state_dict'][name]), name
    for key, state in a['optimizer']['state'].items():
        for name, value in state.items():
            assert torch.equal(value, b['optimizer']['state'][key][name]), (key, name)


@pytest.mark.parametrize('method', METHODS)
def test_killed_and_resumed_equals_uninterrupted_bitwise(method, photos, tmp_path):
    whole, broken = tmp_path / 'whole', tmp_path / 'broken'
    each_iteration = {
        'default_hooks.checkpoint.by_epoch': False,
        'default_hooks.checkpoint.interval': 1,
        'default_hooks.checkpoint.max_keep_ckpts': -1,
    }
    code, output = finish(train(photos, whole, method=method))
    assert code == 0, output
    process = train(photos, broken, method=method, **each_iteration)
    deadline = time.time() + 300
    while not (broken / 'iter_3.pth').exists() and time.time() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (broken / 'iter_2.pth').exists() and not (broken / 'iter_12.pth').exists(), 'killed in mid-run'
    code, output = finish(train(photos, broken, '--resume', method=method, **each_iteration))
    assert code == 0, output
    assert_same_training_state(whole / 'epoch_3.pth', broken / 'iter_12.pth')


@pytest.mark.parametrize('method', METHODS)
def test_two_processes_keep_identical_teachers(method, photos, tmp_path):
    launcher = ['bash', str(ROOT / 'tools/dist_train.sh'), str(ROOT / f'configs/{method}_vits16_coco.py'), '2']
    code, output = finish(
        train(
            photos,
            tmp_path / 'two',
            method=method,
            launcher=launcher,
            env={'PORT': '29611', 'PYTHON': sys.executable},
            **{'train_dataloader.batch_size': 2},
        )
    )
    assert code == 0, output
    assert output.count('2 processes hold identical student and teacher weights') == 3


def test_a_missing_folder_is_one_sentence_and_no_traceback(tmp_path):
    code, output = finish(train(tmp_path / 'nowhere', tmp_path / 'work'))
    assert code == 1
    assert 'error: ' in output and 'does not exist' in output and 'Traceback' not in output
