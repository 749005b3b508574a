import csv

import pytest

from mmssl_geo.benchmark.plan.jobs import Init, Job
from mmssl_geo.benchmark.plan.suite import Task
from mmssl_geo.benchmark.report.statistics import summarise
from mmssl_geo.benchmark.report.table import JobOutcome, Row, format_rows, make_rows, write_tables
from mmssl_geo.benchmark.run.jobs import JobFolder
from mmssl_geo.benchmark.runner import Benchmark
from mmssl_geo.utils.subprocesses import ProcessGroup
from mmssl_geo.visualization.benchmark_figure import benchmark_figure

TASK = Task('detect', 'coco', {'AP': 'x', 'AP50': 'y'}, paper={'AP': dict(gtsa=35.8)})
INITS = [Init('scratch', is_baseline=True), Init('dino', is_baseline=True), Init('gtsa')]
SCRATCH, DINO, GTSA = INITS
OUTCOMES = [
    JobOutcome(Job(TASK, init, seed), metrics, None, '', [])
    for init, seed, metrics in (
        (SCRATCH, 0, dict(AP=10.0, AP50=20.0)),
        (SCRATCH, 1, dict(AP=12.0, AP50=20.0)),
        (DINO, 0, dict(AP=15.0, AP50=30.0)),
        (DINO, 1, None),
        (GTSA, 0, dict(AP=20.0, AP50=40.0)),
        (GTSA, 1, dict(AP=21.0, AP50=40.0)),
    )
]


def test_rows_compare_equal_seeds_with_each_baseline():
    rows = make_rows(OUTCOMES, [TASK], INITS)
    assert [(row.metric, row.init) for row in rows] == [
        (metric, init) for metric in ('AP', 'AP50') for init in ('scratch', 'dino', 'gtsa')
    ]
    scratch, dino, gtsa = rows[:3]
    assert gtsa.summary[:2] == (2, 20.5) and dino.summary == (1, 15.0, None)
    assert gtsa.differences['scratch'].mean == 9.5  # of 10 and 9
    assert gtsa.differences['dino'] == (1, 5.0, None, None)  # seed 0 alone
    assert set(scratch.differences) == {'dino'}


def test_markdown_shows_mean_deviation_interval_and_published_number():
    lines = format_rows(make_rows(OUTCOMES, [TASK], INITS), ['scratch', 'dino']).splitlines()
    assert lines[0] == (
        '| task | metric | initialisation | n | mean ± sd | minus scratch [95 %] | minus dino [95 %] | published |'
    )
    # two pairs of seeds have no interval
    assert lines[4] == '| detect | AP | gtsa | 2 | 20.50 ± 0.71 | +9.50 | +5.00 | gtsa 35.8 |'
    assert lines[3] == '| detect | AP | dino | 1 | 15.00 | +5.00 | – | gtsa 35.8 |'


def test_three_seeds_have_an_interval():
    values = ((SCRATCH, (10.0, 12.0, 11.0)), (GTSA, (11.0, 14.0, 17.0)))
    outcomes = [
        JobOutcome(Job(TASK, init, seed), dict(AP=value, AP50=value), None, '', [])
        for init, scores in values
        for seed, value in enumerate(scores)
    ]
    # differences 1, 2 and 6: mean 3, variance 7; 4.302653 x sqrt(7 / 3) = 6.57
    line = format_rows(make_rows(outcomes, [TASK], INITS), ['scratch']).splitlines()[3]
    assert line == '| detect | AP | gtsa | 3 | 14.00 ± 3.00 | +3.00 [-3.57, +9.57] | gtsa 35.8 |'


@pytest.mark.parametrize('seeds, noted', [(2, True), (3, False)])
def test_missing_intervals_are_explained(tmp_path, seeds, noted):
    outcomes = [
        JobOutcome(Job(TASK, init, seed), dict(AP=1.0, AP50=2.0), None, '', [])
        for init in (SCRATCH, GTSA)
        for seed in range(seeds)
    ]
    text = write_tables(tmp_path, 'title', [TASK], [SCRATCH, GTSA], outcomes).text
    assert ('Differences of fewer than 3 seeds have no interval' in text) == noted


def test_tables_name_the_folder_of_every_value(world):
    plan = world.plan(baselines=['scratch'], seeds=2)
    benchmark = Benchmark(plan, [], ProcessGroup())
    folder = JobFolder(world.out / 'jobs/segment/ours/seed-1')
    folder.begin({}, {})
    folder.finish(dict(metrics={'mIoU': 41.5}))
    failed = JobFolder(world.out / 'jobs/segment/ours/seed-0')
    failed.begin({}, {})
    failed.fail('no memory')
    benchmark.unavailable['scratch'] = 'never pretrained'
    report = write_tables(world.out, 'small', plan.tasks, plan.inits, [benchmark.outcome(job) for job in plan.jobs])
    assert not report.is_complete and '| segment | mIoU | ours | 1 | 41.50 | – |  |' in report.text
    assert '| segment, ours | 1 | 41.50 | jobs/segment/ours/seed-1/result.json |' in report.text
    assert '| segment, ours | 0 | FAILED: no memory |' in report.text
    assert '| segment, scratch | 0 | FAILED: never pretrained |' in report.text
    with open(world.out / 'results_by_seed.csv') as file:
        assert list(csv.DictReader(file)) == [
            dict(
                task='segment',
                initialisation='ours',
                seed='1',
                metric='mIoU',
                value='41.5',
                folder='jobs/segment/ours/seed-1',
            )
        ]
    with open(world.out / 'results.csv') as file:
        assert [row['mean'] for row in csv.DictReader(file)] == ['41.5']


def test_figure_has_a_panel_per_metric_a_mark_per_initialisation_and_a_dot_per_seed():
    figure = benchmark_figure(make_rows(OUTCOMES, [TASK], INITS))
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title(loc='left') for axes in shown] == ['detect\nAP', 'detect\nAP50']
    means = [line.get_ydata()[0] for line in shown[0].lines if line.get_marker() == 'D']
    assert [round(mean, 6) for mean in means] == [11.0, 15.0, 20.5]
    assert [len(line.get_ydata()) for line in shown[0].lines if line.get_marker() == 'o'] == [2, 1, 2]


def test_figure_of_one_value_and_of_negative_values():
    for values in ({0: 0.0}, {0: -3.0, 1: -1.0}):
        row = Row('t', 'm', 's', values, summarise(list(values.values())), {}, {})
        low, high = benchmark_figure([row]).axes[0].get_ylim()
        assert low < high and low <= min(values.values()) and max(values.values()) <= high
