"""Checkpoints of a work directory to resume from."""

import sys
from pathlib import Path

from mmssl_geo.checkpoints import read_checkpoint
from mmssl_geo.utils.errors import UserError


def find_checkpoint(resume: str, work_dir: str | Path, allow_code: bool = False) -> str:
    """Returns the checkpoint to resume from.

    Args:
        resume: Path of a checkpoint, or 'auto' for the newest one in the work directory.
        work_dir: Work directory of the run.
        allow_code: Whether checkpoints may run code while they load.

    Raises:
        UserError: If the work directory holds no checkpoint to resume from.
    """
    if resume != 'auto':
        return resume
    path, skipped = newest_resumable(work_dir, allow_code)
    if path is None:
        reasons = f'. Skipped: {"; ".join(skipped)}' if skipped else ''
        raise UserError(f'--resume found no checkpoint in {work_dir}; start without it, or name a checkpoint{reasons}')
    return path


def newest_resumable(work_dir: str | Path, allow_code: bool = False) -> tuple[str | None, list[str]]:
    """Finds the newest checkpoint of a work directory that a run can resume from.

    Does not read mmengine's note `last_checkpoint`: a kill can leave it empty, and after a move it names the old
    folder. Skips a file that a kill left incomplete, with a message on stderr.

    Args:
        work_dir: Work directory.
        allow_code: Whether checkpoints may run code while they load.

    Returns:
        Path of the checkpoint (None if there is none), and why other files were skipped.
    """
    skipped: list[str] = []
    for path in checkpoints_newest_first(work_dir):
        try:
            if 'optimizer' in read_checkpoint(path, allow_code=allow_code):  # exported backbones have none
                return str(path), skipped
        except UserError as error:
            skipped.append(str(error))
            print(f'--resume skips {path}: {error}', file=sys.stderr)
    return None, skipped


def checkpoints_newest_first(work_dir: str | Path) -> list[Path]:
    """Returns all `.pth` files of a work directory, without the temporary files of a process that was killed."""
    paths = [path for path in Path(work_dir).glob('*.pth') if not path.name.startswith('.')]
    return sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)
