import importlib.util
import json
import time
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from mmssl_geo.utils.errors import UserError
from tests.support import ROOT
from tests.support.tools import run_process

BENCHMARKS = ROOT / 'tools' / 'speed'
STAGES = ['data', 'preprocess', 'student forward', 'teacher forward', 'losses', 'backward', 'optimizer', 'ema']


def load(name):
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


stage_clock = load('stage_clock')


run = partial(run_process, 'speed/step.py')


@pytest.mark.parametrize('method', ['gtsa', 'dino'])
def test_stages_of_a_tiny_run_add_up_to_the_step(method, tmp_path):
    started = time.perf_counter()
    done = run(
        ROOT / 'configs' / f'{method}_quickstart.py',
        '--batch-size',
        2,
        '--iters',
        3,
        '--warmup',
        1,
        '--device',
        'cpu',
        '--amp-dtype',
        'float32',
        '--out',
        tmp_path / 'new' / 'step.json',
        '--cfg-options',
        'model.backbone.arch.num_layers=1',
    )
    elapsed = time.perf_counter() - started
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result == json.loads((tmp_path / 'new' / 'step.json').read_text())
    stages = result['stages_ms']
    assert list(stages) == [*STAGES, 'other'] and all(ms > 0 for ms in stages.values())
    assert sum(stages.values()) == pytest.approx(result['step_ms'])
    assert stages['other'] < 0.2 * result['step_ms']
    assert result['images_per_s'] == pytest.approx(2 / (result['step_ms'] / 1000))
    assert 3 * result['step_ms'] / 1000 < elapsed
    # forward and backward of the nets are the bulk; what is not trained costs less than what is
    assert stages['teacher forward'] < stages['student forward'] + stages['backward']
    assert result['device'] == 'cpu' and result['dtype'] == 'float32'
    assert 100 < result['peak_memory_mib'] < 20000
    assert all(stage in done.stdout for stage in STAGES) and ' 4/4 [' in done.stderr


def test_d3ssl_can_be_timed():
    done = run(
        ROOT / 'configs' / 'd3ssl_r50_coco.py',
        '--batch-size',
        2,
        '--iters',
        1,
        '--warmup',
        0,
        '--device',
        'cpu',
        '--cfg-options',
        'model.backbone.depth=18',
        'model.backbone.base_channels=8',
        'model.backbone.stem_channels=8',
        'train_dataloader.num_workers=0',
    )
    assert done.returncode == 0, done.stderr
    stages = json.loads(done.stdout.splitlines()[-1])['stages_ms']
    assert all(stages[stage] > 0 for stage in STAGES)
    assert stages['losses'] < stages['student forward'], 'the forwards are not counted as losses'
    assert stages['losses'] < stages['teacher forward']


@pytest.mark.parametrize(
    'args, sentence',
    [
        (['--iters', '0'], '--iters 0: must be at least 1'),
        (['--warmup', '-1'], '--warmup -1: must be at least 0'),
        (['--images', 'nowhere'], '--images nowhere: the folder does not exist'),
    ],
)
def test_a_mistake_is_refused(monkeypatch, args, sentence):
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setattr('sys.argv', ['step.py', str(ROOT / 'configs' / 'gtsa_quickstart.py'), *args])
    with pytest.raises(UserError, match=sentence):
        load('step').main()


@pytest.fixture
def ticks(monkeypatch):
    """A clock that shows what the test sets."""
    now = SimpleNamespace(value=0.0)
    monkeypatch.setattr(stage_clock.time, 'perf_counter', lambda: now.value)
    return now


def test_an_inner_stage_stops_the_outer_ones_clock(ticks):
    clock = stage_clock.StageClock('cpu')
    with clock.stage('outer'):
        ticks.value = 5.0
    clock.restart()
    for stage, at in (('outer', 6.0), ('inner', 8.0)):
        ticks.value = at
        if stage == 'outer':
            outer = clock.stage(stage)
            outer.__enter__()
        else:
            with clock.stage(stage):
                ticks.value = 11.0
    ticks.value = 12.0
    outer.__exit__(None, None, None)
    ticks.value = 16.0
    clock.finish()
    assert clock.seconds() == {'other': 1.0 + 4.0, 'outer': 2.0 + 1.0, 'inner': 3.0}


def test_a_gpu_is_timed_by_its_own_events(monkeypatch, ticks):
    waits = []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            self.at = ticks.value

        def elapsed_time(self, end):
            return 1000 * (end.at - self.at)

    monkeypatch.setattr(torch.cuda, 'Event', Event)
    monkeypatch.setattr(torch.cuda, 'synchronize', waits.append)
    clock = stage_clock.StageClock('cuda:0')
    clock.restart()
    with clock.stage('a'):
        ticks.value = 2.0
    assert not waits
    clock.finish()
    assert waits and clock.seconds() == {'a': 2.0, 'other': 0.0}


def test_methods_are_timed_in_place_and_given_back(ticks):
    class Net:
        def run(self, seconds):
            ticks.value += seconds
            return 'done'

    owner = SimpleNamespace(net=Net())
    clock = stage_clock.StageClock('cpu')
    clock.restart()
    with stage_clock.timed_method(clock, 'work', owner, 'net.run'):
        assert owner.net.run(2.0) == 'done' and owner.net.run(seconds=3.0) == 'done'
    owner.net.run(7.0)
    clock.finish()
    assert clock.seconds() == {'other': 7.0, 'work': 5.0} and 'run' not in vars(owner.net)
    with pytest.raises(UserError, match='SimpleNamespace has no teacher.forward'):
        with stage_clock.timed_method(clock, 'work', owner, 'teacher.forward'):
            pass
