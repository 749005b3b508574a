"""Which checkpoint of a work directory a run goes on from."""
import sys
from pathlib import Path

from mmssl_geo.checkpoints import read_checkpoint
from mmssl_geo.utils.errors import UserError


def newest_resumable(work_dir, allow_unsafe=False):
    """The newest checkpoint of a work directory that a run can go on from.

    mmengine's note `last_checkpoint` is not asked: a kill can leave it empty, and it names the folder's old place after
    a move. A file that a kill left half-written is passed over, and said.

    Returns:
        tuple: its path (None: there is none), and why others were passed over.
    """
    passed_over = []
    for path in checkpoints_newest_first(work_dir):
        try:
            if 'optimizer' in read_checkpoint(path, allow_code=allow_unsafe):  # not so in an exported backbone
                return str(path), passed_over
        except UserError as error:
            passed_over.append(str(error))
            print(f'--resume passes over {path}: {error}', file=sys.stderr)
    return None, passed_over


def checkpoints_newest_first(work_dir):
    """All `.pth` files of a work directory."""
    return sorted(Path(work_dir).glob('*.pth'), key=lambda path: path.stat().st_mtime, reverse=True)
