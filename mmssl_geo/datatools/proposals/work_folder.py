"""Finished chunks beside the output file, so that a killed run can resume."""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from mmssl_geo.datasets.regions_file import save_arrays
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import write_json

from .methods import Proposals

SETTINGS = 'settings.json'
LOCK = 'lock'


@contextlib.contextmanager
def open_work_folder(out: str | os.PathLike, settings: dict[str, Any], restart: bool = False) -> Iterator['WorkFolder']:
    """Opens the work folder `OUT.parts/` for one process at a time; creates it if it is missing.

    The lock ends with the `with` block, or with the process, however that ends.

    Args:
        out: The output file.
        settings: JSON values of everything that the result depends on.
        restart: Whether to discard unfinished work.

    Raises:
        UserError: If the folder holds work with other settings, was not created by this function, is locked by another
            process, or cannot be written.
    """
    folder = Path(f'{os.fspath(out)}.parts')
    try:
        names = {path.name for path in folder.iterdir()} if folder.exists() else set()
        if SETTINGS not in names and {name for name in names - {LOCK} if not name.endswith(SETTINGS)}:
            raise UserError(f'{folder} is not a work folder of this tool: move it, or pass another OUT')
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / LOCK, 'w')
    except OSError as error:
        raise UserError(f'cannot write {folder}: {error.strerror or error}') from error
    with lock:
        _lock(lock, folder)
        _prepare(folder, settings, restart)
        yield WorkFolder(folder)


def _lock(lock: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise UserError(f'another run is using {folder} ({error.strerror}): wait until it ends') from error


def _prepare(folder: Path, settings: dict[str, Any], restart: bool) -> None:
    if restart:
        for path in folder.iterdir():
            if path.name != LOCK:
                path.unlink()
    note = folder / SETTINGS
    if note.is_file():
        changed = differences(json.loads(note.read_text()), settings)
        if changed:
            raise UserError(
                f'{folder} holds unfinished work with other settings ({changed}): pass the same settings to '
                'resume, or --restart to discard it'
            )
    else:
        for leftover in folder.glob(f'.*{SETTINGS}'):  # a run was killed while it wrote
            leftover.unlink()
        write_json(note, settings)


class WorkFolder:
    """One file per finished chunk of images.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, chunk: int, proposals: list[Proposals]) -> None:
        """Stores the proposals of one chunk."""
        problems = {row: item.problem for row, item in enumerate(proposals) if item.problem}
        arrays = dict(
            sizes=np.array([item.size for item in proposals], np.int32),
            counts=np.array([len(item.boxes) for item in proposals], np.int64),
            regions=np.concatenate([item.boxes for item in proposals]).astype(np.uint16),
        )
        facts = dict(
            problems=problems,
            relaxed=sum(item.relaxed for item in proposals),
            outside=sum(item.outside for item in proposals),
        )
        save_arrays(self._path(chunk), arrays, dict(facts=json.dumps(facts)))

    def load(self, chunk: int) -> tuple[dict[str, NDArray], dict[str, Any]] | None:
        """Loads the arrays and statistics of a finished chunk; returns None if it is missing or damaged."""
        try:
            with safe_open(self._path(chunk), framework='numpy') as file:
                arrays = {name: file.get_tensor(name) for name in ('sizes', 'counts', 'regions')}
                return arrays, json.loads(file.metadata()['facts'])
        except (OSError, SafetensorError):  # FileNotFoundError is an OSError
            return None

    def remove(self) -> None:
        """Deletes the folder."""
        shutil.rmtree(self.folder)

    def _path(self, chunk: int) -> Path:
        return self.folder / f'{chunk:06d}.safetensors'


def differences(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Describes how two dicts of settings differ, as 'a was 1 and is 2, ...'; '' if they are equal."""
    return ', '.join(
        f'{name} was {old.get(name)} and is {new.get(name)}'
        for name in sorted({**old, **new})
        if old.get(name) != new.get(name)
    )
