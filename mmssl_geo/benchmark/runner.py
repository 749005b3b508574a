"""Runs a benchmark: data, pretraining, export, jobs, tables. Finished parts are not run again."""

import json
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.subprocesses import ProcessGroup, last_checkpoint

from .checks import find_problems
from .plan.configs import config_digest, file_digest, recipe_config, task_config
from .plan.jobs import Init, Job, Plan
from .plan.suite import Recipe
from .plan.summary import plan_summary
from .report.table import JobOutcome, Report, write_tables
from .run.data import generate_data
from .run.environment import describe_environment
from .run.exports import Exporter, load_strictly
from .run.jobs import FAILURE, RESULT, FineTuningRun, JobRun, OutputFolder, PretrainingRun, ProbeRun
from .run.lock import lock_folder
from .run.workers import ProgressLog, Worker, run_all, share_threads

MIN_HOURS = 1e-3
INIT_TARGET = 'mmpretrain'  # this export keeps the final LayerNorm, which pretraining needs


def dry_run(plan: Plan, workers: Sequence[Worker]) -> int:
    """Prints the plan and everything that is missing.

    Returns:
        Exit status: 0, or 2 if anything is missing.
    """
    _print_plan(plan)
    processes = ProcessGroup()
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _check(plan, Exporter(Path(folder), processes), workers)
    finally:
        processes.stop()


def run(plan: Plan, workers: Sequence[Worker], show_table: bool = True) -> int:
    """Runs everything that is not finished.

    Args:
        plan: Plan.
        workers: Workers that run its jobs.
        show_table: Whether to print the tables.

    Returns:
        Exit status: 0 if every job is finished, 1 if some failed, 2 if the checks failed.
    """
    with lock_folder(plan.out) as lock:
        processes = ProcessGroup((lock,))
        try:
            _print_plan(plan)
            exporter = Exporter(OutputFolder(plan.out).exports, processes)
            if status := _check(plan, exporter, workers):
                return status
            report = Benchmark(plan, workers, processes).run()
            if show_table:
                print(f'\n{report.text}\nwritten: {", ".join(map(str, report.paths))}')
            return 0 if report.is_complete else 1
        except KeyboardInterrupt:
            print('interrupted; run the same command again to resume', file=sys.stderr)
            raise
        finally:
            processes.stop()


def _print_plan(plan: Plan) -> None:
    print(plan_summary(plan.suite, plan.tasks, plan.inits, plan.seeds), flush=True)


def _check(plan: Plan, exporter: Exporter, workers: Sequence[Worker]) -> int:
    folder = OutputFolder(plan.out)
    pretrained = [recipe.name for recipe in plan.recipes if folder.pretraining(recipe.name).state == 'done']
    problems = find_problems(
        plan.tasks,
        plan.inits,
        plan.recipes,
        plan.roots,
        exporter,
        plan.cfg_options,
        workers[0].num_processes,
        pretrained,
    )
    for problem in problems:
        print(f'missing or wrong: {problem}', file=sys.stderr)
    print(f'{len(problems)} problem{"s" * (len(problems) > 1)}' if problems else 'no problems found', flush=True)
    return 2 if problems else 0


class Benchmark:
    """The stages of a plan.

    Args:
        plan: Plan that passed the checks.
        workers: Workers that run its jobs.
        processes: Starts all processes.
    """

    def __init__(self, plan: Plan, workers: Sequence[Worker], processes: ProcessGroup) -> None:
        self.plan = plan
        self.workers = workers
        self.processes = processes
        self.folder = OutputFolder(plan.out)
        self.exporter = Exporter(self.folder.exports, processes)
        self.environment = describe_environment()
        self.unavailable: dict[str, str] = {}  # name of an initialisation -> why it has no weights
        self.export_errors: dict[str, str] = {}  # name of a recipe that initialises others -> why it cannot

    def run(self) -> Report:
        """Runs all stages and writes the tables, also after an error."""
        _refuse_changed([*self._pretrainings(), *self._job_runs(self.plan.inits)])
        try:
            generate_data(self.plan)
            self._pretrain()
            runs = self._job_runs([init for init in self.plan.inits if self._export(init)])
            _refuse_changed(runs)
            self._run_stage('jobs', runs)
        finally:
            report = write_tables(
                self.plan.out,
                self.plan.suite.name,
                self.plan.tasks,
                self.plan.inits,
                [self.outcome(job) for job in self.plan.jobs],
            )
        return report

    def _run_stage(self, unit: str, runs: Sequence[JobRun]) -> None:
        retry = self.plan.retry_failed
        waiting = [one for one in runs if one.folder.state == 'open' or (one.folder.state == 'failed' and retry)]
        for one in runs:
            if one.folder.state == 'failed' and not retry:
                print(f'{one.name} failed before ({one.folder.failure}); --retry-failed runs it again')
        if not waiting:
            return
        done = sum(one.folder.state == 'done' for one in runs)
        log = ProgressLog(unit, {one.name: max(one.hours, MIN_HOURS) for one in waiting}, previously_done=done)
        run_all(waiting, share_threads(self.workers, len(waiting)), partial(self._attempt, log), self.processes)

    def _attempt(self, log: ProgressLog, job_run: JobRun, worker: Worker) -> None:
        job_run.folder.begin(job_run.made_from, self.environment)
        try:
            result = job_run.compute(worker, self.processes)
        except (UserError, OSError, json.JSONDecodeError) as error:  # JSON: an incomplete file of metrics
            if not self.processes.stopped:
                job_run.folder.fail(str(error))
                log.add(job_run.name, f'FAILED: {error}', failed=True)
            return
        job_run.folder.finish(result)
        metrics = ', '.join(f'{name} {value:.2f}' for name, value in result.get('metrics', {}).items())
        log.add(job_run.name, metrics or 'done')

    def _pretrain(self) -> None:
        """Pretrains all recipes; those that another recipe initialises come second."""
        self._run_stage('pretrainings', [one for one in self._pretrainings() if not one.recipe.init])
        for name in dict.fromkeys(recipe.init for recipe in self.plan.recipes if recipe.init):
            try:
                if checkpoint := self._pretrained(name):
                    self.exporter.export(checkpoint, name, INIT_TARGET)
            except UserError as error:
                self.export_errors[name] = str(error)
                print(f'{name} cannot initialise other pretrainings: {error}', file=sys.stderr)
        runs = self._pretrainings()
        _refuse_changed(runs)
        self._run_stage('continued pretrainings', [one for one in runs if one.recipe.init])

    def _pretrainings(self) -> list[PretrainingRun]:
        """Returns the runs of all recipes, except those whose initialisation is not available yet."""
        return [
            self._pretraining(recipe)
            for recipe in self.plan.recipes
            if not recipe.init or (self._pretrained(recipe.init) and recipe.init not in self.export_errors)
        ]

    def _pretraining(self, recipe: Recipe) -> PretrainingRun:
        root = self.plan.roots[recipe.data]
        exported = self.exporter.path(recipe.init, INIT_TARGET) if recipe.init else None
        cfg = recipe_config(recipe, root, exported)
        made_from: dict[str, Any] = dict(
            config=config_digest(cfg, [root, self.exporter.folder]), data=self.plan.roots.identity(recipe.data)
        )
        if recipe.init and (checkpoint := self._pretrained(recipe.init)):
            made_from['checkpoint'] = file_digest(checkpoint)
        folder = self.folder.pretraining(recipe.name)
        return PretrainingRun(recipe.name, folder, made_from, recipe.hours, recipe, cfg)

    def _pretrained(self, name: str) -> Path | None:
        """Returns the last checkpoint of a recipe, or None before its pretraining is finished."""
        folder = self.folder.pretraining(name)
        return last_checkpoint(folder.train) if folder.state == 'done' else None

    def _checkpoint(self, init: Init) -> Path | None:
        """Returns the checkpoint of an initialisation, or None if it has none (yet)."""
        return self._pretrained(init.name) if init.recipe else init.checkpoint

    def _export(self, init: Init) -> bool:
        """Exports the weights of an initialisation for all tasks; returns whether that was possible."""
        checkpoint = self._checkpoint(init)
        if checkpoint is None:
            if init.recipe:
                self.unavailable[init.name] = self._why_not_pretrained(init.recipe)
            return init.recipe is None
        try:
            for task in self.plan.tasks:
                if task.target:
                    exported = self.exporter.export(checkpoint, init.name, task.target)
                    load_strictly(
                        task_config(task, self.plan.roots[task.data], exported, 0, self.plan.cfg_options), checkpoint
                    )
        except UserError as error:
            self.unavailable[init.name] = str(error)
            print(f'{init.name} cannot be fine-tuned: {error}', file=sys.stderr)
            return False
        return True

    def _why_not_pretrained(self, recipe: Recipe) -> str:
        folder = self.folder.pretraining(recipe.name)
        if folder.state == 'failed':
            return folder.failure
        return self.export_errors.get(recipe.init or '', f'{recipe.init}, which initialises it, was not pretrained')

    def _job_runs(self, inits: Sequence[Init]) -> list[JobRun]:
        """Returns the runs of all jobs of the initialisations, except those that are not pretrained yet."""
        checkpoints = {init.name: self._checkpoint(init) for init in inits}
        available = {init.name for init in inits if checkpoints[init.name] or not init.recipe}
        digests = {name: file_digest(path) if path else None for name, path in checkpoints.items()}
        architecture = next((path for path in checkpoints.values() if path), None)
        return [
            self._job_run(job, checkpoints[job.init.name], digests[job.init.name], architecture)
            for job in self.plan.jobs
            if job.init.name in available
        ]

    def _job_run(self, job: Job, checkpoint: Path | None, digest: str | None, architecture: Path | None) -> JobRun:
        task, root, folder = job.task, self.plan.roots[job.task.data], self.folder.job(job)
        made_from: dict[str, Any] = dict(checkpoint=digest, data=self.plan.roots.identity(task.data))
        if task.kind == 'probe':
            made_from['config'] = [*task.arguments, job.seed]
            return ProbeRun(job.name, folder, made_from, task.hours, job, root, checkpoint, architecture)
        exported = self.exporter.path(job.init.name, task.target) if checkpoint else None
        cfg = task_config(task, root, exported, job.seed, self.plan.cfg_options)
        made_from['config'] = config_digest(cfg, [root, self.exporter.folder])
        return FineTuningRun(job.name, folder, made_from, task.hours, job, cfg)

    def outcome(self, job: Job) -> JobOutcome:
        """Reads the outcome of a job from its folder."""
        folder = self.folder.job(job)
        metrics = folder.result['metrics'] if folder.state == 'done' else None
        failure = folder.failure if folder.state == 'failed' else self.unavailable.get(job.init.name)
        files = [name for name in (RESULT, FAILURE, folder.log.name) if (folder.path / name).is_file()]
        return JobOutcome(job, metrics, failure, str(folder.path.relative_to(self.plan.out)), files)


def _refuse_changed(runs: Sequence[JobRun]) -> None:
    """Refuses finished results that were made from something else, so that they are neither used nor overwritten."""
    changes = [(one.folder, one.folder.changes(one.made_from)) for one in runs if one.folder.state == 'done']
    changed = [f'{folder.path} (another {" and ".join(names)})' for folder, names in changes if names]
    if changed:
        raise UserError(
            f'finished before with other inputs: {"; ".join(changed)}. Give another --out, or delete these folders'
        )
