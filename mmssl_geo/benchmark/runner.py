"""Runs a benchmark: data, pretraining, export, jobs, table; whatever is there already is not made again."""
import json
import sys
import tempfile
from functools import partial
from pathlib import Path

from mmssl_geo.benchmark.checks.checks import find_problems
from mmssl_geo.benchmark.plan.configs import config_digest, file_digest, recipe_config, task_config
from mmssl_geo.benchmark.plan.jobs import plan_text
from mmssl_geo.benchmark.report.table import write_tables
from mmssl_geo.datatools.scenes import SceneOptions, write_scenes
from mmssl_geo.datatools.scenes.writer import MARKER
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.subprocesses import ProcessGroup

from .run.environment import describe_environment
from .run.exports import export, load_strictly
from .run.pool import ProgressLog, run_all
from .run.work_folder import JobFolder, only_runner
from .run.jobs import FineTuningRun, PretrainingRun, ProbeRun

LEAST_HOURS = 1e-3
CONTINUE_TARGET = 'mmpretrain'  # keeps the final LayerNorm, which pretraining has


def dry_run(request):
    """Prints the plan and all that is missing; returns 0 if nothing is, else 2."""
    print(plan_text(request.suite, request.tasks, request.inits, request.seeds), flush=True)
    children = ProcessGroup()
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _say_problems(find_problems(request, Path(folder), children.start))
    finally:
        children.stop()


def _say_problems(problems):
    for problem in problems:
        print(f'missing or wrong: {problem}', file=sys.stderr)
    print(f'{len(problems)} problem{"s" * (len(problems) > 1)}' if problems else 'nothing is missing', flush=True)
    return 2 if problems else 0


def run(request):
    """Runs all that is not done; returns 0 if every job is done then, 1 if some failed, 2 if it could not begin."""
    with only_runner(request.out) as lock:
        children = ProcessGroup((lock, ))
        try:
            print(plan_text(request.suite, request.tasks, request.inits, request.seeds), flush=True)
            if status := _say_problems(find_problems(request, request.out / 'exports', children.start)):
                return status
            return Benchmark(request, children).run()
        except KeyboardInterrupt:
            print('stopped; the same command goes on from here', file=sys.stderr)
            raise
        finally:
            children.stop()


class Benchmark:
    """The steps of one request.

    Args:
        request: Request, checked.
        children: ProcessGroup; what processes are started with.
    """

    def __init__(self, request, children):
        self.request, self.children = request, children
        self.exports = request.out / 'exports'
        self.environment = describe_environment()
        self.blocked = {}  # name of a start -> why it has no weights
        self.not_exported = {}  # name of a recipe that others go on from -> why they cannot

    def run(self):
        """All steps; the table is written in any case."""
        request = self.request
        _refuse_changed(self._pretrainings() + self._jobs(request.inits))
        try:
            self._make_scenes()
            self._pretrain()
            jobs = self._jobs([start for start in request.inits if self._has_weights(start)])
            _refuse_changed(jobs)
            self._run_works('jobs', jobs)
        finally:
            report = write_tables(request, self.blocked)
        print(f'\n{report.text}\nwritten: {", ".join(map(str, report.paths))}')
        return 0 if report.is_complete else 1

    def _make_scenes(self):
        for data in self.request.data:
            root = self.request.root(data.name)
            if self.request.is_made(data) and not _complete_scenes(root):
                print(f'making {data.name} in {root}', flush=True)
                root.parent.mkdir(parents=True, exist_ok=True)
                write_scenes(root, SceneOptions(), **data.scenes)

    def _run_works(self, what, works):
        waiting = [work for work in works if work.folder.state == 'open'
                   or (work.folder.state == 'failed' and self.request.retry_failed)]
        for work in works:
            if work.folder.state == 'failed' and work not in waiting:
                print(f'{work.name} failed before ({work.folder.failure["reason"]}); --retry-failed runs it again')
        if not waiting:
            return
        done = sum(work.folder.state == 'done' for work in works)
        progress = ProgressLog(what, {work.name: max(work.hours, LEAST_HOURS) for work in waiting}, already=done)
        run_all(waiting, self.request.workers, partial(self._attempt, progress), self.children)

    def _attempt(self, progress, work, worker):
        work.folder.begin(work.made_from, self.environment)
        try:
            result = work.compute(worker, self.children.start)
        except (UserError, OSError, ValueError) as error:  # ValueError: half a file of metrics
            if not self.children.stopped:
                work.folder.fail(str(error))
                progress.add(work.name, f'FAILED: {error}', failed=True)
            return
        work.folder.finish(result)
        metrics = ', '.join(f'{name} {value:.2f}' for name, value in result.get('metrics', {}).items())
        progress.add(work.name, metrics or 'done')

    def _pretrain(self):
        """All recipes; those that go on from others in a second round."""
        self._run_works('pretrainings', [one for one in self._pretrainings() if not one.recipe.init])
        for name in dict.fromkeys(recipe.init for recipe in self.request.recipes if recipe.init):
            try:
                if checkpoint := self.request.pretrained(name):
                    export(checkpoint, name, CONTINUE_TARGET, self.exports, self.children.start)
            except UserError as error:
                self.not_exported[name] = str(error)
                print(f'nothing can go on from {name}: {error}', file=sys.stderr)
        works = self._pretrainings()
        _refuse_changed(works)
        self._run_works('continued pretrainings', [one for one in works if one.recipe.init])

    def _pretrainings(self):
        """The works of all recipes, except of those that go on from one that is not done."""
        return [self._pretraining(recipe) for recipe in self.request.recipes
                if not recipe.init
                or (self.request.pretrained(recipe.init) and recipe.init not in self.not_exported)]

    def _pretraining(self, recipe):
        root = self.request.root(recipe.data)
        exported = self.exports / f'{recipe.init}_{CONTINUE_TARGET}.pth' if recipe.init else None
        cfg = recipe_config(recipe, root, exported)
        made_from = dict(config=config_digest(cfg, [root, self.exports]), data=self._data(recipe.data))
        if recipe.init:
            made_from['checkpoint'] = file_digest(self.request.pretrained(recipe.init))
        return PretrainingRun(recipe.name, self.request.pretraining(recipe.name), made_from, recipe.hours, recipe, cfg)

    def _has_weights(self, start):
        """Exports the weights of a start for all tasks; notes why if that cannot be done."""
        checkpoint = self.request.checkpoint(start)
        if checkpoint is None:
            if start.recipe:
                self.blocked[start.name] = self._why_not_pretrained(start.recipe)
            return start.recipe is None
        try:
            for task in self.request.tasks:
                if task.target:
                    exported = export(checkpoint, start.name, task.target, self.exports, self.children.start)
                    load_strictly(task_config(task, self.request.root(task.data), exported, 0, self.request.options),
                                  checkpoint)
        except UserError as error:
            self.blocked[start.name] = str(error)
            print(f'{start.name} cannot be fine-tuned: {error}', file=sys.stderr)
            return False
        return True

    def _why_not_pretrained(self, recipe):
        folder = self.request.pretraining(recipe.name)
        if folder.state == 'failed':
            return folder.failure['reason']
        return self.not_exported.get(recipe.init, f'{recipe.init}, which it goes on from, was not pretrained')

    def _jobs(self, inits):
        """The works of all jobs of some inits, except of those that are not pretrained yet."""
        given = {start.name: self.request.checkpoint(start) for start in inits}
        known = {start.name for start in inits if given[start.name] or not start.recipe}
        digests = {name: file_digest(path) if path else None for name, path in given.items()}
        return [self._job(job, given, digests[job.init.name]) for job in self.request.jobs if job.init.name in known]

    def _job(self, job, given, digest):
        task, root, checkpoint = job.task, self.request.root(job.task.data), given[job.init.name]
        folder = JobFolder(self.request.out / 'jobs' / job.name)
        made_from = dict(checkpoint=digest, data=self._data(task.data))
        if task.kind == 'probe':
            made_from['config'] = [*task.arguments, job.seed]
            architecture = next((path for path in given.values() if path), None)
            return ProbeRun(job.name, folder, made_from, task.hours, job, root, checkpoint, architecture)
        exported = self.exports / f'{job.init.name}_{task.target}.pth' if checkpoint else None
        cfg = task_config(task, root, exported, job.seed, self.request.options)
        made_from['config'] = config_digest(cfg, [root, self.exports])
        return FineTuningRun(job.name, folder, made_from, task.hours, job, cfg)

    def _data(self, name):
        """What tells one data set from another: its folder, or how it is made."""
        data = self.request.suite.data[name]
        return dict(scenes=data.scenes) if self.request.is_made(data) else str(self.request.root(name))


def _complete_scenes(root):
    marker = root / MARKER
    return marker.is_file() and json.loads(marker.read_text()).get('complete', False)


def _refuse_changed(works):
    """A finished result that would come out otherwise now is neither used nor overwritten."""
    changed = [(work, work.folder.changes(work.made_from)) for work in works if work.folder.state == 'done']
    named = [f'{work.folder.path} (another {" and ".join(what)})' for work, what in changed if what]
    if named:
        raise UserError(f'finished before, but from something else: {"; ".join(named)}. Give another --out, or delete '
                        'these folders')
