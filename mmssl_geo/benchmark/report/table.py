"""Tables of a benchmark as Markdown and CSV, and a figure."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mmssl_geo.benchmark.plan.jobs import Init, Job
from mmssl_geo.benchmark.plan.suite import Task
from mmssl_geo.visualization.benchmark_figure import benchmark_figure

from .statistics import MIN_PAIRS, Difference, Summary, paired_difference, summarise

DASH = '–'
NOTE = (
    'Means and sample standard deviations over n seeds; differences are paired by seed, with the 95 % interval of '
    "Student's t. The last checkpoint is evaluated."
)
NO_INTERVAL_NOTE = f'Differences of fewer than {MIN_PAIRS} seeds have no interval, because it would not be reliable.'


class JobOutcome(NamedTuple):
    """Outcome of a job.

    Attributes:
        job: Job.
        metrics: Metrics by name; None if the job is not finished.
        failure: Reason why it failed or could not run.
        folder: Folder of the job, relative to that of the benchmark.
        files: Names of the files in it that a reader may want.
    """

    job: Job
    metrics: dict[str, float] | None
    failure: str | None
    folder: str
    files: list[str]


class Row(NamedTuple):
    """One metric of one task with one initialisation.

    Attributes:
        task: Name of the task.
        metric: Name of the metric.
        init: Name of the initialisation.
        values: Values by seed.
        summary: Summary of the values.
        differences: Differences to the baselines that share seeds, by the name of the baseline.
        published: Published numbers by initialisation.
    """

    task: str
    metric: str
    init: str
    values: dict[int, float]
    summary: Summary
    differences: dict[str, Difference]
    published: dict[str, float]


class Report(NamedTuple):
    """Written tables.

    Attributes:
        text: Markdown table.
        paths: Written files.
        is_complete: Whether every job is finished.
    """

    text: str
    paths: list[Path]
    is_complete: bool


def make_rows(outcomes: Iterable[JobOutcome], tasks: Sequence[Task], inits: Sequence[Init]) -> list[Row]:
    """Makes the rows of finished jobs, ordered by task, metric and initialisation."""
    metrics: dict[tuple[str, str], dict[int, dict[str, float]]] = {}
    for outcome in outcomes:
        if outcome.metrics is not None:
            job = outcome.job
            metrics.setdefault((job.task.name, job.init.name), {})[job.seed] = outcome.metrics

    def over_seeds(task: Task, init: Init, metric: str) -> dict[int, float]:
        return {seed: values[metric] for seed, values in metrics.get((task.name, init.name), {}).items()}

    rows = []
    for task in tasks:
        for metric in task.metrics:
            baselines = {init.name: over_seeds(task, init, metric) for init in inits if init.is_baseline}
            for init in inits:
                values = over_seeds(task, init, metric)
                if values:
                    differences = {
                        name: paired_difference(values, baseline)
                        for name, baseline in baselines.items()
                        if name != init.name
                    }
                    rows.append(
                        Row(
                            task.name,
                            metric,
                            init.name,
                            values,
                            summarise(list(values.values())),
                            {name: difference for name, difference in differences.items() if difference},
                            task.paper.get(metric, {}),
                        )
                    )
    return rows


def format_rows(rows: Iterable[Row], baselines: Sequence[str]) -> str:
    """Formats the rows as a Markdown table with a column for each baseline."""
    head = [
        'task',
        'metric',
        'initialisation',
        'n',
        'mean ± sd',
        *(f'minus {name} [95 %]' for name in baselines),
        'published',
    ]
    lines = [_line(head), '|---' * len(head) + '|']
    for row in rows:
        n, mean, std = row.summary
        lines.append(
            _line(
                [
                    row.task,
                    row.metric,
                    row.init,
                    n,
                    f'{mean:.2f}' + ('' if std is None else f' ± {std:.2f}'),
                    *(_format_difference(row.differences.get(name)) for name in baselines),
                    ', '.join(f'{name} {value}' for name, value in row.published.items()),
                ]
            )
        )
    return '\n'.join(lines)


def _lacks_intervals(rows: Iterable[Row]) -> bool:
    return any(difference.low is None for row in rows for difference in row.differences.values())


def _line(cells: Iterable[object]) -> str:
    return '| ' + ' | '.join(map(str, cells)) + ' |'


def _format_difference(difference: Difference | None) -> str:
    if difference is None:
        return DASH
    return f'{difference.mean:+.2f}' + (
        '' if difference.low is None else f' [{difference.low:+.2f}, {difference.high:+.2f}]'
    )


def write_tables(
    out: Path, title: str, tasks: Sequence[Task], inits: Sequence[Init], outcomes: Sequence[JobOutcome]
) -> Report:
    """Writes `results.md`, `results.csv` (rows), `results_by_seed.csv` and `results.png`.

    Args:
        out: Folder to write to.
        title: Title of the report.
        tasks: Tasks of the benchmark.
        inits: Initialisations of the benchmark.
        outcomes: Outcomes of all its jobs.
    """
    rows = make_rows(outcomes, tasks, inits)
    baselines = [init.name for init in inits if init.is_baseline]
    names = list(dict.fromkeys(name for task in tasks for name in task.metrics))
    lines = [
        f'# {title}',
        '',
        format_rows(rows, baselines),
        '',
        NOTE,
        *([NO_INTERVAL_NOTE] if _lacks_intervals(rows) else []),
        '',
        '## Jobs',
        '',
        _line(['job', 'seed', *names, 'files']),
        '|---' * (len(names) + 3) + '|',
        *(_format_outcome(outcome, names) for outcome in outcomes),
    ]
    text = '\n'.join(lines) + '\n'
    (out / 'results.md').write_text(text)
    _write_csv(out / 'results.csv', rows, baselines)
    _write_csv_by_seed(out / 'results_by_seed.csv', outcomes)
    if rows:
        benchmark_figure(rows, title=title).savefig(out / 'results.png')
    paths = [out / name for name in ('results.md', 'results.csv', 'results_by_seed.csv', 'results.png')]
    is_complete = all(outcome.metrics is not None for outcome in outcomes)
    return Report(text, [path for path in paths if path.is_file()], is_complete)


def _format_outcome(outcome: JobOutcome, names: Sequence[str]) -> str:
    job, metrics = outcome.job, outcome.metrics
    if metrics is not None:
        cells = [f'{metrics[name]:.2f}' if name in metrics else '' for name in names]
    else:
        cells = [f'FAILED: {outcome.failure}' if outcome.failure else 'not run'] + [''] * (len(names) - 1)
    files = ', '.join(f'{outcome.folder}/{name}' for name in outcome.files)
    return _line([f'{job.task.name}, {job.init.name}', job.seed, *cells, files])


def _write_csv(path: Path, rows: Iterable[Row], baselines: Sequence[str]) -> None:
    head = ['task', 'metric', 'initialisation', 'seeds', 'n', 'mean', 'std']
    head += [f'minus {name}{part}' for name in baselines for part in ('', ' n', ' low', ' high')]
    with open(path, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for row in rows:
            seeds = ' '.join(map(str, sorted(row.values)))
            writer.writerow(
                [row.task, row.metric, row.init, seeds, *row.summary, *_difference_cells(row.differences, baselines)]
            )


def _difference_cells(differences: Mapping[str, Difference], baselines: Sequence[str]) -> list[object]:
    cells: list[object] = []
    for name in baselines:
        difference = differences.get(name)
        cells += [difference.mean, difference.n, difference.low, difference.high] if difference else [''] * 4
    return cells


def _write_csv_by_seed(path: Path, outcomes: Iterable[JobOutcome]) -> None:
    with open(path, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['task', 'initialisation', 'seed', 'metric', 'value', 'folder'])
        for outcome in outcomes:
            job = outcome.job
            for name, value in (outcome.metrics or {}).items():
                writer.writerow([job.task.name, job.init.name, job.seed, name, value, outcome.folder])
