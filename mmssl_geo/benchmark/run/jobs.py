"""Runs of pretrainings, fine-tunings and probes, each in its own folder."""

import json
import math
import shlex
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmssl_geo.apis.resume import newest_resumable
from mmssl_geo.benchmark.plan.configs import accumulate_gradients, config_text, scale_batch_size
from mmssl_geo.benchmark.plan.jobs import Job
from mmssl_geo.benchmark.plan.suite import Recipe, Task
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import write_json
from mmssl_geo.utils.subprocesses import ProcessGroup, last_checkpoint, run_logged, tool_command

from .workers import Worker

RECORD, RESULT, FAILURE = 'job.json', 'result.json', 'failed.json'
NO_DETECTIONS = 'The testing results of the whole dataset is empty'  # logged by mmdet's CocoMetric


class JobFolder:
    """Folder of one run.

    It holds `job.json` (what the run is made from), `environment.json`, `config.py`, `log.txt`, `train/` (work
    directory) and at the end `result.json` or `failed.json`.

    Args:
        path: Path, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path / 'log.txt'
        self.config = path / 'config.py'
        self.train = path / 'train'

    @property
    def state(self) -> str:
        """State of the run: 'done', 'failed' or 'open' (started or not)."""
        if (self.path / RESULT).is_file():
            return 'done'
        return 'failed' if (self.path / FAILURE).is_file() else 'open'

    @property
    def result(self) -> dict[str, Any]:
        return json.loads((self.path / RESULT).read_text())

    @property
    def failure(self) -> str:
        """Reason of the failure."""
        return json.loads((self.path / FAILURE).read_text())['reason']

    def changes(self, made_from: Mapping[str, Any]) -> list[str]:
        """Returns the keys of `made_from` whose values differ from those of the previous attempt, if there was one."""
        if not (self.path / RECORD).is_file():
            return []
        before = json.loads((self.path / RECORD).read_text())['made_from']
        return [name for name, value in made_from.items() if before.get(name) != value]

    def begin(self, made_from: Mapping[str, Any], environment: Mapping[str, Any]) -> None:
        """Prepares an attempt; deletes what an earlier one has made from something else."""
        if self.changes(made_from):
            shutil.rmtree(self.path)
        write_json(self.path / RECORD, dict(made_from=made_from))
        write_json(self.path / 'environment.json', environment)
        (self.path / FAILURE).unlink(missing_ok=True)

    def finish(self, result: Mapping[str, Any]) -> None:
        write_json(self.path / RESULT, result)

    def fail(self, reason: str) -> None:
        write_json(self.path / FAILURE, dict(reason=reason, log=str(self.log)))


class OutputFolder:
    """Output folder of a benchmark, with a folder for each pretraining and job.

    Args:
        path: Path, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.exports = path / 'exports'

    def pretraining(self, recipe_name: str) -> JobFolder:
        """Returns the folder of a pretraining."""
        return JobFolder(self.path / 'pretrain' / recipe_name)

    def job(self, job: Job) -> JobFolder:
        """Returns the folder of a job."""
        return JobFolder(self.path / 'jobs' / job.name)


@dataclass(frozen=True)
class JobRun:
    """A computation in a folder.

    Attributes:
        name: Name, unique among the runs of its kind.
        folder: Folder of its files.
        made_from: Hashes and values that decide the result, by name.
        hours: Estimated device hours.
    """

    name: str
    folder: JobFolder
    made_from: dict[str, Any]
    hours: float

    def compute(self, worker: Worker, processes: ProcessGroup) -> dict[str, Any]:
        """Runs to the end and returns the content of `result.json`.

        Args:
            worker: Devices to run on.
            processes: Starts the commands.
        """
        raise NotImplementedError

    def execute(self, command: list[str], worker: Worker, processes: ProcessGroup) -> None:
        """Executes one command and appends its output to the log."""
        with open(self.folder.log, 'a') as log:
            log.write(f'$ {shlex.join(command)}\n')
        run_logged(
            command, self.folder.log, env=worker.environment, label=f'{self.name}, ', append=True, start=processes.start
        )

    def train(self, cfg: Config, worker: Worker, processes: ProcessGroup) -> Path:
        """Trains, resuming from the last checkpoint of an earlier attempt, and returns the last checkpoint."""
        self.folder.config.write_text(config_text(cfg))
        resume, _ = newest_resumable(self.folder.train)
        if resume is None:
            shutil.rmtree(self.folder.train, ignore_errors=True)
        name = self.name.replace('/', '_')
        self.execute(worker.train_command(self.folder.config, self.folder.train, name, resume), worker, processes)
        return last_checkpoint(self.folder.train)

    def record(self, start_time: float) -> dict[str, Any]:
        """Returns the part of the result that all kinds share."""
        commands = [
            line[2:] for line in self.folder.log.read_text(errors='replace').splitlines() if line.startswith('$ ')
        ]
        return dict(
            commands=commands,
            log=self.folder.log.name,
            config=self.folder.config.name,
            seconds_of_last_attempt=round(time.time() - start_time),
            made_from=self.made_from,
        )


@dataclass(frozen=True)
class PretrainingRun(JobRun):
    """A pretraining; its result names the checkpoint in `train/`."""

    recipe: Recipe
    cfg: Config

    def compute(self, worker: Worker, processes: ProcessGroup) -> dict[str, Any]:
        start_time = time.time()
        cfg = accumulate_gradients(self.cfg, self.recipe.gpus, worker.num_processes)
        checkpoint = self.train(cfg, worker, processes)
        return dict(checkpoint=checkpoint.name, **self.record(start_time))


@dataclass(frozen=True)
class FineTuningRun(JobRun):
    """A fine-tuning; `tools/test.py` evaluates its last checkpoint."""

    job: Job
    cfg: Config

    def compute(self, worker: Worker, processes: ProcessGroup) -> dict[str, Any]:
        start_time = time.time()
        cfg = scale_batch_size(self.cfg, self.job.task.gpus, worker.num_processes)
        checkpoint = self.train(cfg, worker, processes)
        out = self.folder.path / 'metrics.json'
        test = tool_command(
            'test.py', self.folder.config, checkpoint, '--work-dir', self.folder.path / 'test', '--out', out
        )
        self.execute(worker.single_command(test), worker, processes)
        no_detections = NO_DETECTIONS in self.folder.log.read_text(errors='replace')
        return dict(
            metrics=task_metrics(self.job.task, out, no_detections),
            checkpoint=checkpoint.name,
            **self.record(start_time),
        )


@dataclass(frozen=True)
class ProbeRun(JobRun):
    """A probe of frozen features.

    Attributes:
        job: Job of kind 'probe'.
        root: Root of its data set.
        checkpoint: Checkpoint to probe; None: random weights.
        architecture: Checkpoint that random weights take the architecture of.
    """

    job: Job
    root: Path
    checkpoint: Path | None
    architecture: Path | None

    def compute(self, worker: Worker, processes: ProcessGroup) -> dict[str, Any]:
        start_time = time.time()
        arguments = [word.format(data=self.root) for word in self.job.task.arguments]
        out = self.folder.path / 'probe.json'
        weights = [self.checkpoint] if self.checkpoint else [self.architecture, '--random']
        probe = tool_command(
            'probe.py', *weights, *arguments, '--names', 'given', '--seed', self.job.seed, '--seeds', 1, '--out', out
        )
        self.execute(worker.single_command(probe), worker, processes)
        if not self.checkpoint:  # with --random the tool writes one file for each of two models
            out = next(path for path in out.parent.glob('probe_*.json') if path.name != 'probe_given.json')
        return dict(metrics=task_metrics(self.job.task, out), **self.record(start_time))


def task_metrics(task: Task, path: Path, no_detections: bool = False) -> dict[str, float]:
    """Reads the metrics of a task from a JSON file and scales them.

    Args:
        task: Task.
        path: JSON file, metric -> value.
        no_detections: Whether the log shows that a detector found no object in any image. mmdet then writes no metrics,
            and each counts as 0.

    Raises:
        UserError: If a metric is missing or is not a finite number.
    """
    values = json.loads(path.read_text())
    if no_detections and not values:
        return dict.fromkeys(task.metrics, 0.0)
    missing = [key for key in task.metrics.values() if not math.isfinite(values.get(key, math.nan))]
    if missing:
        raise UserError(f'{path} has no number for {", ".join(missing)}, only for {", ".join(values)}')
    return {name: task.scale * values[key] for name, key in task.metrics.items()}
