import sys

import pytest

from mmssl_geo.benchmark.run.workers import make_workers, share_threads, visible_gpus
from mmssl_geo.utils.errors import UserError


def test_gpus_are_shared_out():
    workers = make_workers(gpus=['3', '1', '5', '0'], gpus_per_job=2, visible=['0', '1', '3', '5'], cores=16)
    assert [worker.gpus for worker in workers] == ['3,1', '5,0']
    assert workers[1].environment['CUDA_VISIBLE_DEVICES'] == '5,0'
    assert workers[1].environment['OMP_NUM_THREADS'] == '4'  # 16 cores, 4 processes
    assert workers[0].environment['PORT'] != workers[1].environment['PORT']
    command = workers[0].train_command('c.py', 'w', 'name', resume='w/iter_1.pth')
    assert command[0] == 'bash' and command[1].endswith('tools/dist_train.sh')
    assert command[2:] == ['c.py', '2', '--work-dir', 'w', '--resume', 'w/iter_1.pth']


@pytest.mark.parametrize(
    'options, jobs, threads, gpus',
    [
        (dict(jobs=3, cores=8, visible=['0', '1']), 3, 2, ''),  # jobs on the CPU leave the GPUs unused
        (dict(cores=2), 2, 1, ''),
        (dict(cores=64), 4, 16, ''),
        (dict(jobs=9, cores=4), 9, 1, ''),
        (dict(visible=['6', '7'], cores=8), 2, 4, '6'),
    ],
)
def test_default_workers(options, jobs, threads, gpus):
    workers = make_workers(**options)
    assert (len(workers), workers[0].threads, workers[0].gpus) == (jobs, threads, gpus)
    assert workers[0].train_command('c.py', 'w', 'n')[:1] == [sys.executable]


def test_slurm(monkeypatch):
    monkeypatch.setenv('SRUN_ARGS', '--time 1:00')
    workers = make_workers(jobs=5, gpus_per_job=8, partition='big')
    assert len(workers) == 5 and 'CUDA_VISIBLE_DEVICES' not in workers[0].environment
    assert workers[0].environment['GPUS'] == '8'
    command = workers[0].train_command('c.py', 'w', 'a_b')
    assert command[1].endswith('tools/slurm_train.sh') and command[2:] == ['big', 'a_b', 'c.py', 'w']
    assert workers[0].single_command(['python', 'x']) == [
        'srun',
        '-p',
        'big',
        '--gres=gpu:1',
        '--ntasks=1',
        '--time',
        '1:00',
        'python',
        'x',
    ]


def test_only_visible_gpus_are_used(monkeypatch):
    monkeypatch.setattr('torch.cuda.device_count', lambda: 2)
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    assert visible_gpus() == ['0', '1']
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '5,2')
    assert visible_gpus() == ['5', '2']


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(visible=['0', '1', '2'], gpus_per_job=2), '--gpus-per-job 2 does not divide the 3 GPUs 0,1,2'),
        (dict(gpus=['0', '4'], visible=['0', '1']), '--gpus 4: the GPUs of this machine are 0, 1'),
        (dict(gpus=['0']), '--gpus 0: the GPUs of this machine are none'),
        (dict(jobs=0), '--jobs must be at least 1'),
        (dict(jobs=2, gpus_per_job=2), 'needs GPUs, but jobs run on the CPU'),
    ],
)
def test_impossible_numbers(options, message):
    with pytest.raises(UserError, match=message):
        make_workers(**options)


def test_variables_of_configs_are_unset_for_jobs(monkeypatch):
    monkeypatch.setenv('CHECKPOINT', 'mine.pth')
    for worker in (*make_workers(jobs=1), *make_workers(partition='big')):
        assert worker.environment['CHECKPOINT'] == worker.environment['DATA_ROOT'] == ''


@pytest.mark.parametrize(
    'options, num_items, expected',
    [
        (dict(jobs=2, cores=2), 1, [('', 2)]),
        (dict(jobs=4, cores=8), 3, [('', 2)] * 3),
        (dict(jobs=2, cores=4), 5, [('', 2)] * 2),
        (dict(visible=['0', '1'], cores=8), 1, [('0', 8)]),
    ],
)
def test_idle_workers_leave_their_threads_to_the_others(options, num_items, expected):
    assert [(one.gpus, one.threads) for one in share_threads(make_workers(**options), num_items)] == expected
