"""A run that is killed twenty times at random moments ends with the weights of one that is not."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch

from mmssl_geo.checkpoints import read_checkpoint
from tests.support import ROOT
from tests.support.regions import tiny_run, write_noise

pytestmark = pytest.mark.hostile
KILLS = 20
EPOCHS = 60


def command(config, work_dir, resume):
    words = [sys.executable, '-W', 'ignore', str(ROOT / 'tools/train.py'), str(config), '--work-dir', str(work_dir)]
    return [*words, '--resume'] if resume else words


def start(config, work_dir):
    resume = any(work_dir.glob('*.pth'))
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    return subprocess.Popen(
        command(config, work_dir, resume), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def newest(work_dir):
    return max((path.stat().st_mtime for path in work_dir.glob('*.pth')), default=0.0)


def test_twenty_kills_of_a_training(tmp_path):
    photos = tmp_path / 'photos'
    photos.mkdir()
    write_noise(photos)
    cfg = tiny_run('d3ssl_quickstart', photos, tmp_path / 'run')
    cfg.train_cfg.max_epochs = EPOCHS
    cfg.default_hooks.checkpoint.interval = 1
    cfg.dump(tmp_path / 'config.py')
    whole = start(tmp_path / 'config.py', tmp_path / 'whole')
    assert whole.wait() == 0, whole.stdout.read()
    rng, killed, with_progress = random.Random(0), 0, 0
    work_dir = tmp_path / 'killed'
    for _ in range(KILLS):
        before = newest(work_dir)
        run = start(tmp_path / 'config.py', work_dir)
        end = time.monotonic() + 60
        while run.poll() is None and newest(work_dir) == before and time.monotonic() < end:
            time.sleep(0.01)  # until it has saved something
        time.sleep(rng.random() * 0.1)
        if run.poll() is None:
            run.send_signal(signal.SIGKILL)
            killed += 1
        run.wait()
        with_progress += newest(work_dir) > before
    last = start(tmp_path / 'config.py', work_dir)
    assert last.wait() == 0, last.stdout.read()
    a, b = (read_checkpoint(folder / f'epoch_{EPOCHS}.pth')['state_dict'] for folder in (tmp_path / 'whole', work_dir))
    assert a.keys() == b.keys() and all(torch.equal(value, b[key]) for key, value in a.items())
    assert not list(work_dir.glob('.*.pth')), 'a half file is left'
    print(f'kills: {killed} of {KILLS} runs were killed, {with_progress} after they had saved a checkpoint')
    assert killed == KILLS
