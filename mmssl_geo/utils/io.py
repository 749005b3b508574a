"""Atomic writing of files: a file is there as a whole or not at all."""

import contextlib
import glob
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import UserError


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary path beside `path` that replaces it when the block ends without an error.

    Creates missing parent folders. An error in the block removes the temporary file or folder and leaves `path` as it
    was. The caller writes a file or a folder under the temporary path, which keeps the suffix of `path`.

    Args:
        path: File or folder to write.

    Raises:
        UserError: If the file system refuses to write.
    """
    path = Path(path)
    part = path.with_name(f'.{socket.gethostname()}-{os.getpid()}.{path.name}')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        yield part
        os.replace(part, path)
    except OSError as error:
        raise UserError(f'cannot write {path}: {error.strerror or error}') from error
    finally:
        with contextlib.suppress(OSError):  # the file system may be read-only
            shutil.rmtree(part) if part.is_dir() else part.unlink(missing_ok=True)


def check_writable(path: str | os.PathLike) -> None:
    """Checks, before long work, that a file can be written; creates nothing that stays.

    Raises:
        UserError: If the path is a folder, a part of it is a file, or the file system refuses to write there.
    """
    path = Path(path).absolute()
    try:
        parent = next(folder for folder in path.parents if folder.exists())
        if not parent.is_dir():
            raise UserError(f'cannot write {path}: {parent} is a file, not a folder')
        if path.is_dir():
            raise UserError(f'cannot write {path}: it is a folder')
        with tempfile.TemporaryFile(dir=parent):
            pass
        if path.is_file():
            path.open('ab').close()
    except OSError as error:
        raise UserError(f'cannot write {path}: {error.strerror or error}') from error


def _remove_leftovers(path: Path) -> None:
    """Removes temporary files for the same path that processes of this machine left behind when they were killed."""
    start = f'.{socket.gethostname()}-'
    for other in path.parent.glob(f'{glob.escape(start)}*.{glob.escape(path.name)}'):
        pid = other.name.removeprefix(start).split('.')[0]
        if pid.isdigit() and not _is_running(int(pid)):
            shutil.rmtree(other) if other.is_dir() else other.unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        pass
    return True


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Writes bytes atomically.

    Raises:
        UserError: If the file system refuses to write.
    """
    with atomic_path(path) as part, open(part, 'wb') as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_json(path: str | os.PathLike, content: Any) -> None:  # noqa: ANN401  (any JSON value)
    """Writes a JSON file atomically, with two spaces of indent; values that JSON does not know become strings.

    Raises:
        UserError: If the file system refuses to write.
    """
    write_bytes(path, (json.dumps(content, indent=2, default=str) + '\n').encode())
