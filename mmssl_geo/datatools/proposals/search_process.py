"""Selective Search in processes of a separate environment (`selective_search.py`)."""

import json
import queue
import signal
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from mmssl_geo.utils.errors import UserError

from .filters import RegionFilter
from .methods import Proposals

HERE = Path(__file__).parent
SCRIPT = HERE / 'selective_search.py'
READING = HERE.parents[1] / 'datasets' / 'image_reading.py'
FILTERS = HERE / 'filters.py'
MAX_CRASHES = 3
MEMORY_ADVICE = 'It was killed, mostly for too little memory: use fewer --workers or a smaller --search-side. '


class SelectiveSearchMethod:
    """A pool of search processes, which end with the `with` block.

    A call uses a free process, so up to `workers` threads may call at the same time. A process that dies is replaced,
    and its image counts as a problem.

    Args:
        python: Interpreter of the environment (`environment.search_python`).
        root: Image folder.
        limits: Limits on the regions, applied in the processes.
        mode: 'fast' or 'quality'.
        side: Longer side to shrink images to before the search; 0 keeps the size.
        workers: Number of processes.

    Raises:
        UserError: If the environment does not work (on entering the block), or three consecutive processes died (when
            called).
    """

    def __init__(self, python: str | Path, root: str, limits: RegionFilter, mode: str, side: int, workers: int) -> None:
        options = json.dumps(dict(mode=mode, side=side, filter=asdict(limits)))
        # -I ignores the script's folder and PYTHONPATH, which may lead to the cv2 of the main environment
        self.command = [str(python), '-I', str(SCRIPT), str(READING), str(FILTERS), options]
        self.root = Path(root)
        self.workers = workers
        self.free: queue.SimpleQueue[subprocess.Popen[str] | None] = queue.SimpleQueue()
        self.crashes = 0
        self.errors = tempfile.TemporaryFile('w+')  # a pipe that nobody reads would block

    def __enter__(self) -> 'SelectiveSearchMethod':
        for _ in range(self.workers):
            self.free.put(None)  # started when first needed
        self._check()
        return self

    def _check(self) -> None:
        """Searches one small image, so that an environment that does not work is found before the first image."""
        with tempfile.TemporaryDirectory() as folder:
            Image.fromarray(np.arange(0, 192, dtype=np.uint8).reshape(8, 8, 3)).save(f'{folder}/check.png')
            process = self._start()
            line = _request(process, json.dumps(dict(name='check.png', path=f'{folder}/check.png')))
        reply = json.loads(line or '{}')
        if 'boxes' in reply:
            self.free.get()
            self.free.put(process)
            return
        reason = reply.get('unreadable') or f'its process ended with status {_end(process)}{self._last_error()}'
        raise UserError(
            f'Selective Search does not work with {self.command[0]}: {reason}. Remove the folder of that environment '
            'and run the same command again, which makes it anew; --method grid needs no environment'
        )

    def __exit__(self, *exception: object) -> None:
        for _ in range(self.workers):
            process = self.free.get()
            if process is not None:
                _end(process)
        self.errors.close()

    def __call__(self, name: str) -> Proposals:
        process = self.free.get()
        try:
            process = process or self._start()
            line = _request(process, json.dumps(dict(name=name, path=str(self.root / name))))
            if not line:
                status, process = _end(process), None
                return self._handle_crash(status)
        finally:
            self.free.put(process)
        self.crashes = 0
        reply = json.loads(line)
        if 'unreadable' in reply:
            return Proposals.failed(reply['unreadable'])
        boxes = np.array(reply['boxes'], np.int64).reshape(-1, 4)
        return Proposals(tuple(reply['size']), boxes, reply['relaxed'])

    def _start(self) -> 'subprocess.Popen[str]':
        # a new session: Ctrl-C reaches only the tool, which ends the processes by closing their input
        return subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            start_new_session=True,
        )

    def _handle_crash(self, status: int) -> Proposals:
        self.crashes += 1
        if self.crashes >= MAX_CRASHES:
            raise UserError(
                f'{MAX_CRASHES} consecutive search processes died, the last with status {status}{self._last_error()}. '
                + (MEMORY_ADVICE if status == -signal.SIGKILL else '')
                + 'The same command resumes'
            )
        return Proposals.failed(f'the search process died with status {status}')

    def _last_error(self) -> str:
        """Returns the last line that a process wrote to stderr, in brackets, or '' without one."""
        self.errors.seek(0)
        lines = self.errors.read().strip().splitlines()
        return f' ({lines[-1]})' if lines else ''


def _request(process: 'subprocess.Popen[str]', line: str) -> str:
    """Sends one line and returns the reply, or '' if the process is dead."""
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(line + '\n')
        process.stdin.flush()
        return process.stdout.readline()
    except BrokenPipeError:
        return ''


def _end(process: 'subprocess.Popen[str]') -> int:
    """Closes the input of a process, waits for its end and returns its status."""
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.close()
    except BrokenPipeError:
        pass
    process.stdout.close()
    return process.wait()
