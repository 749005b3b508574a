"""Runs tools one after the other: the log in a file, one line of progress on the screen."""
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from .errors import UserError
from .paths import resource_root

_REST = r'\[\s*(\d+)/(\d+)\].*?eta: ([\d:]+)(?:.*?\bloss: ([\d.-]+))?'
_PROGRESS = re.compile(r'Epoch\((train|val)\)\s*(?:\[(\d+)\])?' + _REST)
_ITERATION = re.compile(r'Iter\((train|val)\)\s*' + _REST)


def tool(name, *arguments):
    """The command that runs `tools/NAME` with this Python."""
    return [sys.executable, str(resource_root() / 'tools' / name), *map(str, arguments)]


def last_checkpoint(work_dir):
    """The last checkpoint of a finished run, also after its folder was moved."""
    work_dir = Path(work_dir)
    return work_dir / Path((work_dir / 'last_checkpoint').read_text().strip()).name


class ProcessGroup:
    """Processes, each with all that it starts, that can be stopped together from another thread.

    Args:
        pass_fds: open files that they inherit.

    Attributes:
        stopped: whether `stop` was called; nothing is started afterwards.
    """

    def __init__(self, pass_fds=()):
        self.stopped = False
        self._pass_fds = pass_fds
        self._running = set()
        self._lock = threading.Lock()

    def start(self, command, **options):
        """`subprocess.Popen` in a process group of its own.

        Raises:
            UserError: after `stop`.
        """
        with self._lock:
            if self.stopped:
                raise UserError('stopped')
            process = subprocess.Popen(command, start_new_session=True, pass_fds=self._pass_fds, **options)
            self._running.add(process)
            return process

    def stop(self, grace=15):
        """Ends all of them: SIGTERM, after `grace` seconds SIGKILL."""
        with self._lock:
            self.stopped = True
            running = [process for process in self._running if process.poll() is None]
        for process in running:
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + grace
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0, deadline - time.monotonic()))
        for process in running:  # also what a process that ended itself has left behind
            _signal(process, signal.SIGKILL)


def _signal(process, number):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def run_step(command, log, env=None, label='', quiet_seconds=10, append=False, start=subprocess.Popen):
    """Runs a command to its end.

    Threads that wait do not spin (`OMP_WAIT_POLICY`), unless the user says otherwise: with anything else running on
    the machine, spinning makes training on a CPU several times slower.

    Args:
        command: list of words.
        log: file for all that it prints.
        env: variables in addition to this process's.
        label: stands in front of each line of progress.
        quiet_seconds: least time between two lines of progress.
        append: whether the log goes on where it ends.
        start: what starts the process: `subprocess.Popen`, or `ProcessGroup.start`.

    Raises:
        UserError: if it fails; names the log and quotes its last line.
    """
    shown = time.time()
    with open(log, 'a' if append else 'w') as file:
        process = start(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace',
            env={'OMP_WAIT_POLICY': 'PASSIVE', **os.environ, **(env or {})})
        last = ''
        for line in process.stdout:
            file.write(line)
            file.flush()
            last = line.strip() or last
            progress = progress_line(line)
            if progress and time.time() - shown > quiet_seconds:
                shown = time.time()
                print(f'   {label}{progress}', flush=True)
    if status := process.wait():
        # what a killed process printed last is no reason
        reason = last if status > 0 else f'ended by signal {-status} ({signal.strsignal(-status)})'
        raise UserError(f'this step failed: {reason} (the whole output is in {log})')


def progress_line(line):
    """Short form of mmengine's log line of an iteration, or None for any other line."""
    if match := _PROGRESS.search(line):
        phase, epoch, done, total, eta, loss = match.groups()
        where = f'epoch {epoch}, ' if epoch else ''
    elif match := _ITERATION.search(line):
        phase, done, total, eta, loss = match.groups()
        where = ''
    else:
        return None
    return f'{phase}: {where}iteration {done} of {total}, {eta} to go' + (f', loss {loss}' if loss else '')
