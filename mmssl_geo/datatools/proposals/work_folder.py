"""Finished chunks beside the file to be written, so that a run can be killed and go on."""
import contextlib
import fcntl
import json
import os
import shutil
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from mmssl_geo.datasets.regions_file import save_arrays
from mmssl_geo.utils.errors import UserError

SETTINGS = 'settings.json'
SETTINGS_PART = 'settings.part'
LOCK = 'lock'


@contextlib.contextmanager
def open_work_folder(out, settings, restart=False):
    """A `WorkFolder` `OUT.parts/`, made if it is missing, for one process at a time.

    The lock ends with the `with` block, or with the process, however that ends.

    Args:
        out: the file to be written.
        settings: json-able dict of all that the result depends on.
        restart: begin anew instead of going on.

    Raises:
        UserError: it holds work of other settings, was not made by this function, another process has it, or it cannot
            be written.
    """
    folder = Path(f'{os.fspath(out)}.parts')
    try:
        names = {path.name for path in folder.iterdir()} if folder.exists() else set()
        if SETTINGS not in names and names - {LOCK, SETTINGS_PART}:
            raise UserError(f'{folder} is not a work folder of this tool: move it away, or give another OUT')
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / LOCK, 'w')
    except OSError as error:
        raise UserError(f'cannot write {folder}: {error.strerror or error}') from error
    with lock:
        _take(lock, folder)
        _prepare(folder, settings, restart)
        yield WorkFolder(folder)


def _take(lock, folder):
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise UserError(f'another run is at work in {folder} ({error.strerror}): wait for its end') from error


def _prepare(folder, settings, restart):
    if restart:
        for path in folder.iterdir():
            if path.name != LOCK:
                path.unlink()
    note = folder / SETTINGS
    if note.is_file():
        changed = differences(json.loads(note.read_text()), settings)
        if changed:
            raise UserError(f'{folder} holds unfinished work with other settings ({changed}): give the same as then to '
                            'go on, or --restart to begin anew')
    else:
        (folder / SETTINGS_PART).write_text(json.dumps(settings))
        os.replace(folder / SETTINGS_PART, note)


class WorkFolder:
    """One file for each finished chunk of images.

    Args:
        folder: Path.
    """

    def __init__(self, folder):
        self.folder = folder

    def save(self, chunk, found):
        """Stores the results (`list[Found]`) of chunk number `chunk`."""
        problems = {row: one.problem for row, one in enumerate(found) if one.problem}
        arrays = dict(
            sizes=np.array([one.size for one in found], np.int32),
            counts=np.array([len(one.boxes) for one in found], np.int64),
            regions=np.concatenate([one.boxes for one in found]).astype(np.uint16))
        facts = dict(problems=problems, relaxed=sum(one.relaxed for one in found),
                     outside=sum(one.outside for one in found))
        save_arrays(self._path(chunk), arrays, dict(facts=json.dumps(facts)))

    def load(self, chunk):
        """Arrays and facts of a finished chunk; None if it is not there, or was damaged."""
        try:
            with safe_open(self._path(chunk), framework='numpy') as file:
                arrays = {name: file.get_tensor(name) for name in ('sizes', 'counts', 'regions')}
                return arrays, json.loads(file.metadata()['facts'])
        except (OSError, SafetensorError):  # FileNotFoundError is an OSError
            return None

    def remove(self):
        """Deletes the folder, when the file itself is written."""
        shutil.rmtree(self.folder)

    def _path(self, chunk):
        return self.folder / f'{chunk:06d}.safetensors'


def differences(old, new):
    """'a was 1 and is 2, ...': what differs between two dicts of settings; '' if they are alike."""
    return ', '.join(f'{name} was {old.get(name)} and is {new.get(name)}'
                     for name in sorted({**old, **new}) if old.get(name) != new.get(name))
