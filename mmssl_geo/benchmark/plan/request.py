"""What was asked for, with all choices made."""
from dataclasses import dataclass, field
from pathlib import Path

from mmssl_geo.benchmark.run.work_folder import JobFolder
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.subprocesses import last_checkpoint

from .jobs import make_jobs, needed_recipes
from .suite import Suite


@dataclass(frozen=True)
class Request:
    """One call of the runner.

    Attributes:
        suite: Suite.
        tasks, inits: lists of Task and Init.
        seeds: how many; they are 0, 1, ...
        out: folder for all that is made.
        roots: name of a data set -> Path, those that were given.
        workers: of `make_workers`.
        options: overrides of the tasks' configs.
        retry_failed: whether failed jobs run again.
    """
    suite: Suite
    tasks: list
    inits: list
    seeds: int
    out: Path
    roots: dict
    workers: list
    options: dict = field(default_factory=dict)
    retry_failed: bool = False

    def __post_init__(self):
        if self.seeds < 1:
            raise UserError(f'--seeds {self.seeds}: has to be at least 1')
        for name in self.roots:
            if name not in self.suite.data:
                raise UserError(f'--data {name}: suite {self.suite.name} has {", ".join(self.suite.data)}')

    @property
    def jobs(self):
        return make_jobs(self.tasks, self.inits, self.seeds)

    @property
    def recipes(self):
        return needed_recipes(self.suite, self.inits)

    @property
    def data(self):
        """The data sets that are needed."""
        names = {one.data for one in (*self.tasks, *self.recipes)}
        return [data for name, data in self.suite.data.items() if name in names]

    @property
    def processes(self):
        """Of one training."""
        return self.workers[0].processes

    def is_made(self, data):
        """Whether the runner makes this data set itself."""
        return data.name not in self.roots and data.scenes is not None

    def root(self, name):
        """Folder of a data set; of one that was not given, where the runner makes it."""
        return self.roots.get(name, self.out / 'data' / name).absolute()

    def pretraining(self, name):
        """JobFolder of a recipe."""
        return JobFolder(self.out / 'pretrain' / name)

    def checkpoint(self, start):
        """What a start begins with: Path; None of random weights and before its pretraining is done."""
        return self.pretrained(start.name) if start.recipe else start.checkpoint

    def pretrained(self, name):
        """The last checkpoint of a recipe; None before its pretraining is done."""
        folder = self.pretraining(name)
        return last_checkpoint(folder.train) if folder.state == 'done' else None
