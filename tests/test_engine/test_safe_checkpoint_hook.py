"""The best checkpoint by a probe, the checkpoint at SIGTERM, and what a full disk leaves."""

import os
import signal

import pytest
import torch
from mmengine.hooks import Hook

from mmssl_geo.apis.train import build_runner, train
from mmssl_geo.checkpoints import read_checkpoint
from mmssl_geo.engine import ProbeHook
from mmssl_geo.engine.hooks.safe_checkpoint_hook import STATUS_AFTER_SIGTERM
from mmssl_geo.utils.errors import UserError
from tests.support.regions import make_runs_start_quickly, tiny_run, write_noise

NAME = 'd3ssl_quickstart'


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    make_runs_start_quickly(monkeypatch)


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    return write_noise(tmp_path_factory.mktemp('photos'))


def config(photos, work_dir, epochs=2, **checkpoint):
    cfg = tiny_run(NAME, photos, work_dir)
    cfg.train_cfg.max_epochs = epochs
    cfg.default_hooks.checkpoint.update(checkpoint)
    return cfg


class Kill(Hook):
    """Sends SIGTERM to this process in an iteration."""

    def __init__(self, iteration):
        self.iteration = iteration

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.iteration:
            os.kill(os.getpid(), signal.SIGTERM)


def test_sigterm_saves_and_the_resumed_run_is_the_same_bitwise(photos, tmp_path):
    whole = build_runner(config(photos, tmp_path / 'whole'))
    whole.train()
    cut = build_runner(config(photos, tmp_path / 'cut'))
    last = whole.iter - 1
    assert last >= 2
    cut.register_hook(Kill(last - 1))
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as end:
        cut.train()
    assert end.value.code == STATUS_AFTER_SIGTERM == 143 and signal.getsignal(signal.SIGTERM) is before
    saved = read_checkpoint(tmp_path / 'cut' / 'interrupted.pth')
    assert saved['meta']['iter'] == last
    resumed = build_runner(config(photos, tmp_path / 'cut'), resume='auto')
    assert resumed._load_from.endswith('interrupted.pth')
    resumed.train()
    expected = whole.model.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in resumed.model.state_dict().items())


def scores(monkeypatch, values):
    """Replaces the evaluation of probes by these values, one for each call."""
    values = iter(values)

    def evaluate(self, runner):
        self.latest = {'probe/score': next(values)}

    monkeypatch.setattr(ProbeHook, '__init__', lambda self: setattr(self, 'interval', 1))
    monkeypatch.setattr(ProbeHook, 'before_train', lambda self, runner: evaluate(self, runner))
    monkeypatch.setattr(ProbeHook, '_evaluate', evaluate)


def best_files(folder):
    return sorted(path.name for path in folder.glob('best_*.pth'))


def test_the_best_checkpoint_by_a_probe_is_kept_also_after_a_resume(photos, tmp_path, monkeypatch):
    scores(monkeypatch, [1.0, 5.0, 4.0])
    cfg = config(photos, tmp_path, 2, save_best='probe/score')
    cfg.custom_hooks = [dict(type='mmssl_geo.ProbeHook')]
    build_runner(cfg).train()
    assert best_files(tmp_path) == ['best_probe_score_epoch_1.pth']
    best = read_checkpoint(tmp_path / 'best_probe_score_epoch_1.pth')
    assert best['meta']['epoch'] == 1 and best['message_hub']['runtime_info']['best_score'] == 5.0
    first = read_checkpoint(tmp_path / 'epoch_1.pth')['state_dict']
    assert all(torch.equal(value, first[key]) for key, value in best['state_dict'].items())
    scores(monkeypatch, [4.0, 4.5, 6.0])
    cfg = config(photos, tmp_path, 4, save_best='probe/score')
    cfg.custom_hooks = [dict(type='mmssl_geo.ProbeHook')]
    build_runner(cfg, resume=str(tmp_path / 'epoch_2.pth')).train()
    assert best_files(tmp_path) == ['best_probe_score_epoch_4.pth']


def test_a_value_that_nothing_computes_is_refused(photos, tmp_path, monkeypatch):
    cfg = config(photos, tmp_path, save_best='probe/score')
    with pytest.raises(UserError, match='save_best=probe/score: nothing is evaluated here; add a ProbeHook'):
        train(build_runner(cfg))
    scores(monkeypatch, [1.0])
    cfg = config(photos, tmp_path, save_best='probe/scoer')
    cfg.custom_hooks = [dict(type='mmssl_geo.ProbeHook')]
    with pytest.raises(UserError, match='save_best=probe/scoer: the probes of this run give probe/score'):
        train(build_runner(cfg))


def test_a_full_disk_leaves_no_half_checkpoint(photos, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, 'No space left on device')

    runner = build_runner(config(photos, tmp_path, 1))
    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(UserError, match=r'cannot write .*epoch_1\.pth: No space left on device'):
        train(runner)
    assert not list(tmp_path.glob('*.pth')) and not list(tmp_path.glob('.*.pth'))
