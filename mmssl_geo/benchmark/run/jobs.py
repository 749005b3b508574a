"""One pretraining, one fine-tuning, one probe: how each is computed in its folder."""
import json
import math
import shlex
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from mmssl_geo.apis.resume import newest_resumable
from mmssl_geo.benchmark.plan.configs import accumulating, config_text, for_devices
from mmssl_geo.benchmark.plan.jobs import Job
from mmssl_geo.benchmark.plan.suite import Recipe
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.subprocesses import last_checkpoint, run_step, tool

from .work_folder import JobFolder

FOUND_NOTHING = 'The testing results of the whole dataset is empty'  # mmdet's CocoMetric


@dataclass(frozen=True)
class JobRun:
    """Something to compute in a folder.

    Attributes:
        name: unique among those of its kind.
        folder: JobFolder.
        made_from: name -> hash or value of what decides the result.
        hours: estimated.
    """
    name: str
    folder: JobFolder
    made_from: dict
    hours: float

    def compute(self, worker, start):
        """Runs it to its end in a worker; returns what goes into `result.json`."""
        raise NotImplementedError

    def run(self, command, worker, start):
        """One command of this work; its output goes to the end of the log."""
        with open(self.folder.log, 'a') as log:
            log.write(f'$ {shlex.join(command)}\n')
        run_step(command, self.folder.log, env=worker.environment, label=f'{self.name}, ', append=True, start=start)

    def train(self, cfg, worker, start):
        """Trains, from the last checkpoint of an earlier attempt if there is one; returns the new last checkpoint."""
        self.folder.config.write_text(config_text(cfg))
        resume, _ = newest_resumable(self.folder.train)
        if resume is None:
            shutil.rmtree(self.folder.train, ignore_errors=True)
        self.run(worker.train_command(self.folder.config, self.folder.train, self.name.replace('/', '_'), resume), worker,
                 start)
        return last_checkpoint(self.folder.train)

    def facts(self, began):
        """What every result says."""
        commands = [line[2:] for line in self.folder.log.read_text(errors='replace').splitlines()
                    if line.startswith('$ ')]
        return dict(commands=commands, log=self.folder.log.name, config=self.folder.config.name,
                    seconds_of_last_attempt=round(time.time() - began), made_from=self.made_from)


@dataclass(frozen=True)
class PretrainingRun(JobRun):
    """A recipe: `result.json` names the checkpoint in `train/`."""
    recipe: Recipe
    cfg: Config

    def compute(self, worker, start):
        began = time.time()
        checkpoint = self.train(accumulating(self.cfg, self.recipe.gpus, worker.processes), worker, start)
        return dict(checkpoint=checkpoint.name, **self.facts(began))


@dataclass(frozen=True)
class FineTuningRun(JobRun):
    """A job of kind 'finetune'; what counts is `tools/test.py` on the last checkpoint."""
    job: Job
    cfg: Config

    def compute(self, worker, start):
        began = time.time()
        checkpoint = self.train(for_devices(self.cfg, self.job.task.gpus, worker.processes), worker, start)
        out = self.folder.path / 'metrics.json'
        self.run(worker.single_command(tool('test.py', self.folder.config, checkpoint, '--work-dir',
                                          self.folder.path / 'test', '--out', out)), worker, start)
        found_nothing = FOUND_NOTHING in self.folder.log.read_text(errors='replace')
        return dict(metrics=task_metrics(self.job.task, out, found_nothing), checkpoint=checkpoint.name,
                    **self.facts(began))


@dataclass(frozen=True)
class ProbeRun(JobRun):
    """A job of kind 'probe'; random weights (no checkpoint) take the architecture of `architecture`."""
    job: Job
    root: Path
    checkpoint: Path
    architecture: Path

    def compute(self, worker, start):
        began = time.time()
        arguments = [word.format(data=self.root) for word in self.job.task.arguments]
        out = self.folder.path / 'probe.json'
        asked = [self.checkpoint] if self.checkpoint else [self.architecture, '--random']
        self.run(worker.single_command(tool('probe.py', *asked, *arguments, '--names', 'given', '--seed', self.job.seed,
                                          '--seeds', 1, '--out', out)), worker, start)
        if not self.checkpoint:  # of two nets each has a file of its own
            out = next(path for path in out.parent.glob('probe_*.json') if path.name != 'probe_given.json')
        return dict(metrics=task_metrics(self.job.task, out), **self.facts(began))


def task_metrics(task, path, found_nothing=False):
    """The task's metrics, scaled, out of a flat json of metrics.

    Args:
        task: Task.
        path: of the json file.
        found_nothing: whether the log says that a detector found no object in any image. mmdet then gives no metrics;
            each is 0.

    Raises:
        UserError: one is missing or not a number.
    """
    found = json.loads(path.read_text())
    if found_nothing and not found:
        return dict.fromkeys(task.metrics, 0.)
    missing = [key for key in task.metrics.values() if not math.isfinite(found.get(key, math.nan))]
    if missing:
        raise UserError(f'{path} has no number for {", ".join(missing)}, only for {", ".join(found)}')
    return {name: task.scale * found[key] for name, key in task.metrics.items()}
