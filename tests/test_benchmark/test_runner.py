import contextlib
import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch
from mmengine.config import Config

from mmssl_geo.utils.errors import UserError

from .conftest import backbone_state, results


def stamps(world):
    return {
        path: path.stat().st_mtime_ns
        for path in world.out.rglob('*')
        if path.is_file() and path.parent != world.out and path.suffix != '.sample'
    }


def test_from_pretraining_to_the_table(world, capsys):
    assert world.run() == 0
    found = results(world)
    assert set(found) == {'pretrain/ours'} | {
        f'jobs/segment/{start}/seed-{seed}' for start in ('scratch', 'ours') for seed in (0, 1)
    }
    # the stub: seed + 5 with exported weights, seed + 2 without; the suite's scale is 10
    assert found['jobs/segment/ours/seed-1']['metrics'] == {'mIoU': 60.0}
    assert found['jobs/segment/scratch/seed-0']['metrics'] == {'mIoU': 20.0}
    assert found['pretrain/ours']['checkpoint'] == 'iter_4.pth'
    out = capsys.readouterr().out
    assert '| segment | mIoU | ours | 2 | 55.00 ± 7.07 | +30.00 | – |  |' in out
    assert '[4/4 jobs, 0:00:00 to go]' in out or '[4/4 jobs]' in out
    assert (world.out / 'results.png').stat().st_size > 5000
    # one export of the last checkpoint serves all seeds; the check has exported the untrained backbone
    calls = (world.root / 'tools' / 'convert_checkpoint.py.calls').read_text().splitlines()
    assert calls == [
        f'{world.out}/exports/untrained/ours.pth {world.out}/exports/untrained/ours_mmseg.pth --to mmseg',
        f'{world.out}/pretrain/ours/train/iter_4.pth {world.out}/exports/ours_mmseg.pth --to mmseg',
    ]


def test_a_job_records_how_it_was_made(world, camvid):
    world.run(baselines=['scratch'], seeds=1, cfg_options={'optim_wrapper.optimizer.lr': 0.25})
    folder = world.out / 'jobs/segment/ours/seed-0'
    config = (folder / 'config.py').read_text()
    assert str(camvid) in config and 'ours_mmseg.pth' in config and "'lr': 0.25" in config and "'seed': 0" in config
    assert json.loads((folder / 'environment.json').read_text()) == dict(cores=2)
    train, evaluate = json.loads((folder / 'result.json').read_text())['commands']
    assert f'tools/train.py {folder}/config.py --work-dir {folder}/train' in train
    assert f'tools/test.py {folder}/config.py {folder}/train/iter_4.pth' in evaluate
    log = (folder / 'log.txt').read_text()
    assert log.startswith(f'$ {train}\ntrain from 0\n')


def test_finished_jobs_are_kept_when_seeds_are_added(world):
    world.run(seeds=1)
    before = stamps(world)
    assert world.run(seeds=2) == 0
    after = stamps(world)
    assert {path: after[path] for path in before} == before
    assert {path.parent.name for path in set(after) - set(before) if path.name == 'result.json'} == {'seed-1'}


def test_a_failed_job_is_reported_and_only_retry_failed_runs_it_again(world, capsys):
    world.script('fail 2 jobs/segment/scratch/seed-1')
    assert world.run() == 1
    assert len(results(world)) == 4
    folder = world.out / 'jobs/segment/scratch/seed-1'
    assert 'scratch/seed-1: FAILED: this step failed: error: out of memory' in capsys.readouterr().out
    assert (
        '| segment, scratch | 1 | FAILED: this step failed: error: out of memory'
        in (world.out / 'results.md').read_text()
    )
    world.script()
    assert world.run() == 1 and not (folder / 'result.json').exists()
    assert 'failed before (this step failed: error: out of memory' in capsys.readouterr().out
    assert world.run(retry_failed=True) == 0
    assert 'train from 2' in (folder / 'log.txt').read_text() and not (folder / 'failed.json').exists()


def test_a_failed_pretraining_blocks_only_its_own_jobs(world):
    world.script('fail 1 pretrain/ours')
    assert world.run() == 1
    assert set(results(world)) == {f'jobs/segment/scratch/seed-{seed}' for seed in (0, 1)}
    text = (world.out / 'results.md').read_text()
    assert '| segment, scratch | 0 | 20.00 | jobs/segment/scratch/seed-0/result.json, jobs/segment/' in text
    assert text.count('| segment, ours |') == text.count('FAILED: this step failed: error: out of memory') == 2


def test_a_detector_without_detections_has_ap_0(world):
    test = world.root / 'tools' / 'test.py'
    original = test.read_text()
    test.write_text(original.replace('out.write_text(', 'out.write_text("{}"); (lambda text: 0)('))
    assert world.run(baselines=['scratch'], seeds=1) == 1, 'metrics are missing without a reason'
    test.write_text(test.read_text() + "print('ERROR - The testing results of the whole dataset is empty.')\n")
    assert world.run(baselines=['scratch'], seeds=1, retry_failed=True) == 0
    assert results(world)['jobs/segment/scratch/seed-0']['metrics'] == {'mIoU': 0.0}


def add_continued_recipe(world):
    recipe = str(world.suite.with_name('recipe.py'))
    world.suite.write_text(
        world.suite.read_text()
        + f"""
recipes['more'] = dict(config={recipe!r}, data='camvid', init='ours', cfg_options={{'model.head': dict(weight=4.)}})
"""
    )


def test_a_recipe_is_initialised_with_the_backbone_of_another(world):
    add_continued_recipe(world)
    assert world.run(seeds=1) == 0
    assert set(results(world)) == {'pretrain/ours', 'pretrain/more'} | {
        f'jobs/segment/{start}/seed-0' for start in ('scratch', 'ours', 'more')
    }
    given = {
        name: Config.fromfile(world.out / 'pretrain' / name / 'config.py').model.backbone.get('init_cfg')
        for name in ('ours', 'more')
    }
    assert given == dict(ours=None, more=dict(type='Pretrained', checkpoint=f'{world.out}/exports/ours_mmpretrain.pth'))
    calls = (world.root / 'tools' / 'convert_checkpoint.py.calls').read_text().splitlines()
    assert (
        f'{world.out}/pretrain/ours/train/iter_4.pth {world.out}/exports/ours_mmpretrain.pth --to mmpretrain' in calls
    )
    before = stamps(world)
    assert world.run(seeds=1) == 0 and stamps(world) == before


def test_a_recipe_is_not_run_if_the_one_that_initialises_it_failed(world, capsys):
    add_continued_recipe(world)
    world.script('fail 1 pretrain/ours')
    assert world.run(seeds=1) == 1
    text = (world.out / 'results.md').read_text()
    assert '| segment, more | 0 | FAILED: ours, which initialises it, was not pretrained |' in text
    assert not (world.out / 'pretrain/more').exists()


def test_a_result_with_other_inputs_is_refused(world, weights, tmp_path):
    given = tmp_path / 'given.pth'
    given.write_bytes(weights.read_bytes())
    world.run([given], seeds=1)
    before = stamps(world)
    with pytest.raises(UserError, match=r'jobs/segment/given/seed-0 \(another config\).* Give another --out'):
        world.run([given], seeds=1, cfg_options={'optim_wrapper.optimizer.lr': 2.0})
    changed = {key: value + 1 for key, value in backbone_state().items()}
    torch.save(dict(state_dict=changed, optimizer={}), given)
    with pytest.raises(UserError, match=r'jobs/segment/given/seed-0 \(another checkpoint\)') as found:
        world.run([given], seeds=1)
    assert 'scratch' not in str(found.value)
    assert {path: before[path] for path in before if 'jobs' in path.parts} == {
        path: stamp for path, stamp in stamps(world).items() if 'jobs' in path.parts
    }


def test_an_unfinished_job_with_another_config_starts_again(world):
    world.script('fail 3 seed-0')
    world.run(baselines=['scratch'], seeds=1)
    world.script()
    assert (
        world.run(baselines=['scratch'], seeds=1, retry_failed=True, cfg_options={'optim_wrapper.optimizer.lr': 2.0})
        == 0
    )
    log = (world.out / 'jobs/segment/scratch/seed-0/log.txt').read_text()
    assert 'train from 0' in log and 'train from 2' not in log


RUN = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and so would this one
sys.path[:0] = [{root!r}, {tests!r}]
import mmssl_geo.utils.subprocesses, mmssl_geo.benchmark.run.workers
from pathlib import Path
for module in (mmssl_geo.utils.subprocesses, mmssl_geo.benchmark.run.workers):
    module.resource_root = lambda: Path({stubs!r})
sys.argv = {argv!r}
exec(open({tool!r}).read(), dict(__name__='__main__'))
"""


def spawn_runner(world, camvid):
    """Starts the tool with the stub tools."""
    from tests.support import ROOT

    argv = [
        'benchmark.py',
        str(world.suite),
        '--out',
        str(world.out),
        '--data',
        f'camvid={camvid}',
        '--baselines',
        'scratch',
        '--seeds',
        '1',
        '--jobs',
        '1',
        '--tasks',
        'segment',
    ]
    code = RUN.format(
        root=str(ROOT), tests=str(ROOT), stubs=str(world.root), argv=argv, tool=str(ROOT / 'tools' / 'benchmark.py')
    )
    return subprocess.Popen(
        [sys.executable, '-W', 'ignore', '-c', code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def start_runner(world, camvid):
    """Starts the tool and waits until the second job hangs in its second step."""
    process = spawn_runner(world, camvid)
    hangs = world.out / 'jobs/segment/ours/seed-0/train/iter_2.pth'
    deadline = time.monotonic() + 400
    while not hangs.exists():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
        time.sleep(0.05)
    return process


@pytest.mark.parametrize('number', [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupted_job_is_resumed(world, camvid, number):
    world.script('wait 2 jobs/segment/ours')
    process = start_runner(world, camvid)
    process.send_signal(number)
    out = process.communicate(timeout=200)[0]
    assert process.returncode == 130 and 'run the same command again to resume' in out
    assert '| segment, ours | 0 | not run |' in (world.out / 'results.md').read_text()
    before = stamps(world)
    world.script()
    assert world.run(baselines=['scratch'], seeds=1) == 0
    folder = world.out / 'jobs/segment/ours/seed-0'
    assert 'train from 2\n' in (folder / 'log.txt').read_text()
    done = world.out / 'jobs/segment/scratch/seed-0/result.json'
    assert stamps(world)[done] == before[done]


def test_jobs_of_a_killed_runner_keep_the_folder_locked(world, camvid):
    world.script('wait 2 jobs/segment/ours')
    process = start_runner(world, camvid)
    with pytest.raises(UserError, match=f'in use by the benchmark with process id {process.pid}'):
        world.run(baselines=['scratch'], seeds=1)
    process.kill()
    process.wait()
    with pytest.raises(UserError, match='or by jobs that it left behind when it was killed'):
        world.run(baselines=['scratch'], seeds=1)
    os.kill(int((world.out / 'jobs/segment/ours/seed-0/train/pid').read_text()), signal.SIGKILL)
    world.script()
    deadline = time.monotonic() + 100
    while locked(world.out / '.lock') and time.monotonic() < deadline:
        time.sleep(0.05)
    assert world.run(baselines=['scratch'], seeds=1) == 0


def locked(path):
    with open(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def kill_with_jobs(process, out):
    """Kills the runner and the trainings that it leaves behind, and waits until the folder is free."""
    process.kill()
    process.communicate()
    for path in out.glob('jobs/*/*/*/train/pid'):
        with contextlib.suppress(ProcessLookupError, ValueError):
            os.kill(int(path.read_text()), signal.SIGKILL)
    deadline = time.monotonic() + 100
    while (out / '.lock').exists() and locked(out / '.lock'):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.hostile
def test_ten_kills_leave_the_same_table(world, camvid):
    assert world.run(baselines=['scratch', 'ours'], seeds=1) == 0
    expected, table = results(world), (world.out / 'results.md').read_text()
    world.out.rename(world.out.with_name('whole'))
    rng, killed = random.Random(0), 0
    for _ in range(10):
        process = spawn_runner(world, camvid)
        time.sleep(rng.uniform(2, 8))  # from its checks to the last job
        killed += process.poll() is None
        kill_with_jobs(process, world.out)
    assert world.run(baselines=['scratch', 'ours'], seeds=1) == 0
    found = results(world)
    assert found.keys() == expected.keys()
    assert all(found[name].get('metrics') == expected[name].get('metrics') for name in expected)
    assert rows(found_table := (world.out / 'results.md').read_text()) == rows(table), found_table
    print(f'kills: {killed} of 10 runs of the benchmark were killed')
    assert killed >= 5


def rows(text):
    """The lines of the tables without times."""
    return [line for line in text.splitlines() if line.startswith('|') and 'min' not in line and ' h ' not in line]
