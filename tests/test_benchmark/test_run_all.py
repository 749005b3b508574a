import sys
import threading
import time

import pytest

from mmssl_geo.benchmark.run.workers import ProgressLog, remaining_seconds, run_all
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.subprocesses import ProcessGroup, run_logged


def test_every_slot_runs_one_at_a_time_and_all_are_run():
    running, most, done, lock = [], [], [], threading.Lock()

    def run_one(item, worker):
        with lock:
            assert worker not in running
            running.append(worker)
            most.append(len(running))
        time.sleep(0.02)
        with lock:
            running.remove(worker)
            done.append(item)

    run_all(range(7), ['a', 'b', 'c'], run_one, ProcessGroup())
    assert sorted(done) == list(range(7)) and max(most) == 3


def test_an_unexpected_error_stops_the_others(tmp_path):
    processes, ended = ProcessGroup(), []

    def run_one(item, worker):
        if item == 'wrong':
            time.sleep(0.3)
            raise ZeroDivisionError('a bug')
        with pytest.raises(UserError):
            run_logged([sys.executable, '-c', 'import time; time.sleep(60)'], tmp_path / item, start=processes.start)
        ended.append(item)

    began = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        run_all(['long', 'wrong', 'never'], ['a', 'b'], run_one, processes)
    assert ended == ['long'] and time.monotonic() - began < 20


def test_stopping_ends_what_a_child_started_too(tmp_path):
    code = (
        'import subprocess, time; child = subprocess.Popen(["sleep", "60"]); print(child.pid, flush=True); '
        'time.sleep(60)'
    )
    processes = ProcessGroup()
    thread = threading.Thread(
        target=lambda: pytest.raises(
            UserError, run_logged, [sys.executable, '-c', code], tmp_path / 'log', start=processes.start
        )
    )
    thread.start()
    while not (tmp_path / 'log').is_file() or not (tmp_path / 'log').read_text().strip():
        time.sleep(0.05)
    grandchild = (tmp_path / 'log').read_text().strip()
    processes.stop()
    thread.join(10)
    assert not thread.is_alive()
    deadline = time.monotonic() + 10  # the kernel may take a moment; without SIGKILL it runs for a minute
    while state_of(grandchild) not in ('gone', 'Z') and time.monotonic() < deadline:
        time.sleep(0.05)
    assert state_of(grandchild) in ('gone', 'Z')
    with pytest.raises(UserError, match='stopped'):
        processes.start([sys.executable, '-c', ''])


def state_of(pid):
    """The kernel's letter for a process; Z has ended and waits to be collected."""
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rsplit(')', 1)[1].split()[0]
    except OSError:
        return 'gone'


def test_time_to_go_is_in_proportion_to_the_cost():
    assert remaining_seconds(finished=2.0, total=10.0, seconds=30.0) == 120.0


def test_board_counts_and_estimates(capsys, monkeypatch):
    now = iter([0.0, 60.0, 90.0])
    monkeypatch.setattr('mmssl_geo.benchmark.run.workers.time.monotonic', lambda: next(now))
    log = ProgressLog('jobs', dict(a=1.0, b=1.0, c=2.0), previously_done=5)
    log.add('a', 'AP 3')
    log.add('b', 'FAILED: x', failed=True)
    # 60 s for a quarter of the cost: 180 s to go; 90 s for a half: 90
    assert capsys.readouterr().out.splitlines() == [
        '[6/8 jobs, 0:03:00 to go] a: AP 3',
        '[7/8 jobs, 1 failed, 0:01:30 to go] b: FAILED: x',
    ]
