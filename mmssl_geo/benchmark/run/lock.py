"""Lock of an output folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmssl_geo.utils.errors import UserError


@contextmanager
def lock_folder(out: Path) -> Iterator[int]:
    """Locks a folder for one runner.

    The lock belongs to the kernel, which releases it when the last process that holds it has ended.

    Yields:
        File descriptor of the lock, for child processes to inherit.

    Raises:
        UserError: If another runner, or a job that a killed runner left behind, holds the lock.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        file = open(out / '.lock', 'a+')  # noqa: SIM115  (closed below)
    except OSError as error:
        raise UserError(f'--out {out} cannot be written: {error.strerror}') from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UserError(
                f'--out {out} is in use by the benchmark with process id {file.read().strip()}, or by jobs that it '
                'left behind when it was killed; wait for it, end it, or give another --out'
            ) from None
        file.truncate(0)
        file.write(f'{os.getpid()}\n')
        file.flush()
        yield file.fileno()
