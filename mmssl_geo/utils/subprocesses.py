"""Child processes: tools that log to a file and show their progress, and groups that are stopped together."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import UserError
from .paths import resource_root

PROGRESS_SECONDS = 10  # minimum time between two lines of progress
_PROGRESS = r'\[\s*(\d+)/(\d+)\].*?eta: ([\d:]+)(?:.*?\bloss: ([\d.-]+))?'
_EPOCH = re.compile(r'Epoch\((train|val)\)\s*(?:\[(\d+)\])?' + _PROGRESS)
_ITERATION = re.compile(r'Iter\((train|val)\)\s*' + _PROGRESS)


def tool_command(name: str, *arguments: object) -> list[str]:
    """Returns the command that runs `tools/NAME` with this Python."""
    return [sys.executable, str(resource_root() / 'tools' / name), *map(str, arguments)]


def last_checkpoint(work_dir: str | Path) -> Path:
    """Returns the last checkpoint of a finished run, also after its folder was moved."""
    work_dir = Path(work_dir)
    return work_dir / Path((work_dir / 'last_checkpoint').read_text().strip()).name


class ProcessGroup:
    """Processes, each with its children, that another thread can stop together.

    Args:
        pass_fds: File descriptors that they inherit.

    Attributes:
        stopped: Whether `stop` was called; no process starts afterwards.
    """

    def __init__(self, pass_fds: Sequence[int] = ()) -> None:
        self.stopped = False
        self._pass_fds = pass_fds
        self._running: set[subprocess.Popen] = set()
        self._lock = threading.Lock()

    def start(self, command: Sequence[str], **options: Any) -> subprocess.Popen:  # noqa: ANN401  (those of Popen)
        """Starts a process in a separate process group; takes the arguments of `subprocess.Popen`.

        Raises:
            UserError: After `stop`.
        """
        with self._lock:
            if self.stopped:
                raise UserError('stopped')
            process = subprocess.Popen(command, start_new_session=True, pass_fds=self._pass_fds, **options)
            self._running.add(process)
            return process

    def stop(self, grace: float = 15) -> None:
        """Stops all processes with SIGTERM and, after `grace` seconds, with SIGKILL."""
        with self._lock:
            self.stopped = True
            running = [process for process in self._running if process.poll() is None]
        for process in running:
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + grace
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0, deadline - time.monotonic()))
        for process in running:  # also children of a process that ended itself
            _signal(process, signal.SIGKILL)


def _signal(process: subprocess.Popen, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def run_logged(
    command: Sequence[str],
    log: str | Path,
    env: Mapping[str, str] | None = None,
    label: str = '',
    append: bool = False,
    start: Callable[..., subprocess.Popen] = subprocess.Popen,
) -> None:
    """Runs a command to its end, with its output in a file and its progress on the screen.

    Sets `OMP_WAIT_POLICY=PASSIVE` unless the variable is set: spinning threads slow down training on a shared CPU
    several times.

    Args:
        command: Words of the command.
        log: File for the output.
        env: Variables in addition to those of this process.
        label: Prefix of each line of progress.
        append: Whether to append to the log.
        start: Function that starts the process: `subprocess.Popen` or `ProcessGroup.start`.

    Raises:
        UserError: If the command fails; names the log and quotes its last line.
    """
    shown = time.time()
    with open(log, 'a' if append else 'w') as file:
        process = start(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
            env={'OMP_WAIT_POLICY': 'PASSIVE', **os.environ, **(env or {})},
        )
        assert process.stdout is not None
        last = ''
        for line in process.stdout:
            file.write(line)
            file.flush()
            last = line.strip() or last
            progress = training_progress(line)
            if progress and time.time() - shown > PROGRESS_SECONDS:
                shown = time.time()
                print(f'   {label}{progress}', flush=True)
    if status := process.wait():
        # the last line of a killed process does not explain its end
        reason = last if status > 0 else f'ended by signal {-status} ({signal.strsignal(-status)})'
        raise UserError(f'this step failed: {reason} (the whole output is in {log})')


def training_progress(line: str) -> str | None:
    """Returns a short form of mmengine's log line of an iteration, or None for any other line."""
    if match := _EPOCH.search(line):
        phase, epoch, done, total, eta, loss = match.groups()
        where = f'epoch {epoch}, ' if epoch else ''
    elif match := _ITERATION.search(line):
        phase, done, total, eta, loss = match.groups()
        where = ''
    else:
        return None
    return f'{phase}: {where}iteration {done} of {total}, {eta} to go' + (f', loss {loss}' if loss else '')
