"""Selective Search in processes of an environment of its own (`selective_search.py`)."""
import json
import queue
import subprocess
from dataclasses import asdict
from pathlib import Path

import numpy as np

from mmssl_geo.utils.errors import UserError

from .methods import Found

HERE = Path(__file__).parent
SCRIPT = HERE / 'selective_search.py'
READING = HERE.parents[1] / 'datasets' / 'image_reading.py'
FILTERS = HERE / 'filters.py'
DEATHS = 3


class SelectiveSearchMethod:
    """Asks a pool of search processes, which end with the `with` block that it is used in.

    A call takes a process that is free, so it may be called from as many threads as there are `workers`.

    A process that dies (memory, a fault in the library) is replaced; its image counts as a problem.

    Args:
        python: interpreter of the environment (`environment.search_python`).
        root: the image folder.
        limits: `RegionFilter`, applied in the processes.
        mode: 'fast' or 'quality'.
        side: longer side that images are shrunk to before the search; 0: as they are.
        workers: processes.

    Raises:
        UserError: (when called) three processes died one after the other.
    """

    def __init__(self, python, root, limits, mode, side, workers):
        options = json.dumps(dict(mode=mode, side=side, filter=asdict(limits)))
        # -I: neither the script's folder nor PYTHONPATH, which may lead to the stack's own cv2, are looked into
        self.command = [str(python), '-I', str(SCRIPT), str(READING), str(FILTERS), options]
        self.root = Path(root)
        self.workers = workers
        self.free = queue.SimpleQueue()
        self.deaths = 0

    def __enter__(self):
        for _ in range(self.workers):
            self.free.put(None)  # started when first needed
        return self

    def __exit__(self, *_):
        for _ in range(self.workers):
            process = self.free.get()
            if process is not None:
                _end(process)

    def __call__(self, name):
        process = self.free.get()
        try:
            process = process or self._start()
            line = _ask(process, json.dumps(dict(name=name, path=str(self.root / name))))
            if not line:
                status, process = _end(process), None
                return self._died(status)
        finally:
            self.free.put(process)
        self.deaths = 0
        reply = json.loads(line)
        if 'unreadable' in reply:
            return Found.nothing(reply['unreadable'])
        boxes = np.array(reply['boxes'], np.int64).reshape(-1, 4)
        return Found(tuple(reply['size']), boxes, reply['relaxed'])

    def _start(self):
        # a session of its own: Ctrl-C reaches the tool, which ends them by closing their input
        return subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            start_new_session=True)

    def _died(self, status):
        self.deaths += 1
        if self.deaths >= DEATHS:
            raise UserError(
                f'{DEATHS} search processes died one after the other, the last with status {status} (a negative one '
                'is a signal, -9 mostly means too little memory): use fewer --workers or a smaller --search-side, and '
                'go on with the same command')
        return Found.nothing(f'the search process died with status {status}')


def _ask(process, line):
    """The reply to one line; '' if the process is dead."""
    try:
        process.stdin.write(line + '\n')
        process.stdin.flush()
        return process.stdout.readline()
    except BrokenPipeError:
        return ''


def _end(process):
    """Closes a process's input, and waits for its end; its status."""
    try:
        process.stdin.close()
    except BrokenPipeError:
        pass
    process.stdout.close()
    return process.wait()
