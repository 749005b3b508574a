"""The table of a benchmark: Markdown, CSV and a picture, from the result of every job."""
import csv
from pathlib import Path
from typing import NamedTuple

from mmssl_geo.benchmark.run.work_folder import FAILURE, RESULT, JobFolder
from mmssl_geo.visualization.benchmark_figure import benchmark_figure

from .statistics import paired_difference, summarise

DASH = '–'
NOTE = ('Means and sample standard deviations over n seeds; differences of equal seeds, with the 95 % interval of '
        "Student's t. The last checkpoint counts.")


class Row(NamedTuple):
    """One metric of one task from one start.

    Attributes:
        task, metric, start: names.
        values: seed -> value.
        summary: Summary of them.
        differences: name of a baseline -> Difference, where seeds are shared.
        published: the papers' numbers of this metric, start -> number.
    """
    task: str
    metric: str
    init: str
    values: dict
    summary: tuple
    differences: dict
    published: dict


class Report(NamedTuple):
    """Written tables: `text` is the Markdown one, `is_complete` whether every job is in it."""
    text: str
    paths: list
    is_complete: bool


def make_rows(values, tasks, inits):
    """Rows in the order of tasks, metrics and inits.

    Args:
        values: (task, start, seed) -> {metric: value} of finished jobs.
        tasks, inits: lists of Task and Init.
    """
    def over_seeds(task, start, metric):
        return {seed: found[metric] for (one, other, seed), found in values.items()
                if (one, other) == (task.name, start.name)}
    rows = []
    for task in tasks:
        for metric in task.metrics:
            baselines = {start.name: over_seeds(task, start, metric) for start in inits if start.is_baseline}
            for start in inits:
                own = over_seeds(task, start, metric)
                if own:
                    pairs = {name: paired_difference(own, theirs) for name, theirs in baselines.items()
                             if name != start.name}
                    rows.append(Row(task.name, metric, start.name, own, summarise(list(own.values())),
                                    {name: pair for name, pair in pairs.items() if pair}, task.paper.get(metric, {})))
    return rows


def markdown(rows, baselines):
    """The rows as a table with a column for each baseline."""
    heads = ['task', 'metric', 'start', 'n', 'mean ± sd', *(f'minus {name} [95 %]' for name in baselines), 'published']
    lines = [_line(heads), '|---' * len(heads) + '|']
    for row in rows:
        n, mean, std = row.summary
        lines.append(_line([
            row.task, row.metric, row.init, n, f'{mean:.2f}' + ('' if std is None else f' ± {std:.2f}'),
            *(_difference(row.differences.get(name)) for name in baselines),
            ', '.join(f'{name} {value}' for name, value in row.published.items())]))
    return '\n'.join(lines)


def _line(cells):
    return '| ' + ' | '.join(map(str, cells)) + ' |'


def _difference(one):
    if one is None:
        return DASH
    return f'{one.mean:+.2f}' + ('' if one.low is None else f' [{one.low:+.2f}, {one.high:+.2f}]')


def write_tables(request, blocked):
    """Writes `results.md`, `results.csv` (rows), `results_by_seed.csv` and `results.png`.

    Args:
        request: Request.
        blocked: name of a start -> why its jobs could not run.
    """
    out, jobs = request.out, request.jobs
    folders = {job.name: JobFolder(out / 'jobs' / job.name) for job in jobs}
    done = {job.name: folders[job.name].result['metrics'] for job in jobs if folders[job.name].state == 'done'}
    rows = make_rows({(job.task.name, job.init.name, job.seed): done[job.name] for job in jobs if job.name in done},
                     request.tasks, request.inits)
    baselines = [start.name for start in request.inits if start.is_baseline]
    lines = [f'# {request.suite.name}', '', markdown(rows, baselines), '',
             NOTE, '', '## Jobs', '',
             _line(['job', 'seed', *_metric_names(request.tasks), 'files']),
             '|---' * (len(_metric_names(request.tasks)) + 3) + '|']
    for job in jobs:
        lines.append(_job_line(job, done.get(job.name), folders[job.name], out, blocked, _metric_names(request.tasks)))
    text = '\n'.join(lines) + '\n'
    (out / 'results.md').write_text(text)
    _write_csv(out, rows, baselines)
    _write_csv_by_seed(out, jobs, done)
    if rows:
        benchmark_figure(rows, title=request.suite.name).savefig(out / 'results.png')
    paths = [out / name for name in ('results.md', 'results.csv', 'results_by_seed.csv', 'results.png')]
    return Report(text, [path for path in paths if path.is_file()], len(done) == len(jobs))


def _metric_names(tasks):
    return list(dict.fromkeys(name for task in tasks for name in task.metrics))


def _job_line(job, metrics, folder, out, blocked, names):
    if metrics is not None:
        cells = [f'{metrics[name]:.2f}' if name in metrics else '' for name in names]
    else:
        why = folder.failure['reason'] if folder.state == 'failed' else blocked.get(job.init.name)
        cells = [f'FAILED: {why}' if why else 'not run'] + [''] * (len(names) - 1)
    files = [name for name in (RESULT, FAILURE, folder.log.name) if (folder.path / name).is_file()]
    place = Path(folder.path).relative_to(out)
    return _line([f'{job.task.name}, {job.init.name}', job.seed, *cells, ', '.join(f'{place}/{one}' for one in files)])


def _write_csv(out, rows, baselines):
    heads = ['task', 'metric', 'start', 'seeds', 'n', 'mean', 'std']
    heads += [f'minus {name}{part}' for name in baselines for part in ('', ' n', ' low', ' high')]
    with open(out / 'results.csv', 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(heads)
        for row in rows:
            seeds = ' '.join(map(str, sorted(row.values)))
            pairs = [row.differences.get(name) for name in baselines]
            cells = [cell for one in pairs for cell in ((one.mean, one.n, one.low, one.high) if one else [''] * 4)]
            writer.writerow([row.task, row.metric, row.init, seeds, *row.summary, *cells])


def _write_csv_by_seed(out, jobs, done):
    with open(out / 'results_by_seed.csv', 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['task', 'start', 'seed', 'metric', 'value', 'folder'])
        for job in jobs:
            for name, value in done.get(job.name, {}).items():
                writer.writerow([job.task.name, job.init.name, job.seed, name, value, f'jobs/{job.name}'])
