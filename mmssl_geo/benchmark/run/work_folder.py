"""The folder of one job or pretraining: what it was made from, how far it is, what came out."""
import fcntl
import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

from mmssl_geo.utils.errors import UserError

RECORD, RESULT, FAILURE = 'job.json', 'result.json', 'failed.json'


class JobFolder:
    """Files: `job.json` (what it is made from), `environment.json`, `config.py`, `log.txt`, `train/` (work directory),
    and at the end `result.json` or `failed.json`.

    Args:
        path: need not exist.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.log = self.path / 'log.txt'
        self.config = self.path / 'config.py'
        self.train = self.path / 'train'

    @property
    def state(self):
        """'done', 'failed', 'open' (begun, or not even that)."""
        if (self.path / RESULT).is_file():
            return 'done'
        return 'failed' if (self.path / FAILURE).is_file() else 'open'

    @property
    def result(self):
        return json.loads((self.path / RESULT).read_text())

    @property
    def failure(self):
        return json.loads((self.path / FAILURE).read_text())

    def changes(self, made_from):
        """What of `made_from` (name -> value) is not as it was when this began; empty if it never began."""
        if not (self.path / RECORD).is_file():
            return []
        before = json.loads((self.path / RECORD).read_text())['made_from']
        return [name for name, value in made_from.items() if before.get(name) != value]

    def begin(self, made_from, environment):
        """Before the first attempt and every later one; what was made from something else is thrown away."""
        if self.changes(made_from):
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(self.path / RECORD, dict(made_from=made_from))
        write_json(self.path / 'environment.json', environment)
        (self.path / FAILURE).unlink(missing_ok=True)

    def finish(self, result):
        write_json(self.path / RESULT, result)

    def fail(self, reason):
        write_json(self.path / FAILURE, dict(reason=reason, log=str(self.log)))


def write_json(path, content):
    """Writes the whole file or none of it."""
    part = path.with_name(f'.{path.name}.{os.getpid()}')
    part.write_text(json.dumps(content, indent=2, default=str) + '\n')
    os.replace(part, path)


@contextmanager
def only_runner(out):
    """Holds a folder for one runner; gives the lock's file number, for its children to hold on to as well.

    The lock is the kernel's: it ends with the last process that holds it, however that ends.

    Raises:
        UserError: another runner is at work there, or a killed one has left processes behind.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        file = open(out / '.lock', 'a+')  # noqa: SIM115  (held until the end)
    except OSError as error:
        raise UserError(f'--out {out} cannot be written: {error.strerror}') from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UserError(
                f'--out {out} is in use by the benchmark with process id {file.read().strip()}, or by jobs that it '
                'left behind when it was killed; wait for it, end it, or give another --out') from None
        file.truncate(0)
        file.write(f'{os.getpid()}\n')
        file.flush()
        yield file.fileno()
