"""A tiny version of the shipped suite `quick` with the real tools."""

import json
import subprocess
import sys

import pytest

from tests.support import ROOT

SUITE = """
_base_ = {quick!r}
data = dict(scenes=dict(scenes=dict(num_train=16, num_val=4)))
seeds = 1
recipes = dict(
    _delete_=True,
    gtsa=dict(config='configs/gtsa_quickstart.py', data='scenes', cfg_options={{'train_cfg.max_epochs': 1}}))
baselines = ['scratch']
protocols = {{
    'mask-rcnn_quickstart_scenes': dict(
        cfg_options={{'train_cfg.max_epochs': 1, 'default_hooks.checkpoint.interval': 1}}),
    'semfpn_quickstart_scenes': dict(cfg_options={{'train_cfg.max_iters': 2, 'default_hooks.checkpoint.interval': 1}})}}
"""


@pytest.mark.slow
def test_from_nothing_to_a_table(tmp_path):
    suite, out = tmp_path / 'tiny.py', tmp_path / 'out'
    suite.write_text(SUITE.format(quick=str(ROOT / 'configs/suites/quick.py')))
    command = [sys.executable, '-W', 'ignore', str(ROOT / 'tools/benchmark.py'), str(suite), '--out', str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for task, metric in (('mask-rcnn', 'mask AP50'), ('semfpn', 'mIoU')):
        for init in ('scratch', 'gtsa'):
            folder = out / 'jobs' / f'{task}_quickstart_scenes' / init / 'seed-0'
            result = json.loads((folder / 'result.json').read_text())
            assert 0 <= result['metrics'][metric] <= 100
            log = (folder / 'log.txt').read_text()
            assert ('gtsa_' in (folder / 'config.py').read_text()) == (init == 'gtsa')
            assert log.count('$ ') >= 2 and 'tools/test.py' in log
    environment = json.loads((folder / 'environment.json').read_text())
    assert environment['versions']['mmseg'] and '--out' in environment['command'] and environment['git_commit']
    assert json.loads((folder / 'metrics.json').read_text())['mIoU'] == result['metrics']['mIoU']
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 0 and 'iteration' not in again.stdout and str(out / 'results.md') in again.stdout
