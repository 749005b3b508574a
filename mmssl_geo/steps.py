"""Runs one tool after the other: the log in a file, one line of progress on the screen."""
import os
import re
import subprocess
import time

from .errors import UserError

_REST = r'\[\s*(\d+)/(\d+)\].*?eta: ([\d:]+)(?:.*?\bloss: ([\d.-]+))?'
_PROGRESS = re.compile(r'Epoch\((train|val)\)\s*(?:\[(\d+)\])?' + _REST)
_ITERATION = re.compile(r'Iter\((train|val)\)\s*' + _REST)


def run_step(command, log, env=None, label='', quiet_seconds=10):
    """Runs a command to its end.

    Threads that wait do not spin (`OMP_WAIT_POLICY`), unless the user says otherwise: with anything else running on
    the machine, spinning makes training on a CPU several times slower.

    Args:
        command: list of words.
        log: file for all that it prints.
        env: variables in addition to this process's.
        label: stands in front of each line of progress.
        quiet_seconds: least time between two lines of progress.

    Raises:
        UserError: if it fails; names the log and quotes its last line.
    """
    shown = time.time()
    with open(log, 'w') as file:
        process = subprocess.Popen(
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
    if process.wait() != 0:
        raise UserError(f'this step failed: {last} (the whole output is in {log})')


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
