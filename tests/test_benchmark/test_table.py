import csv

from mmssl_geo.benchmark.plan.jobs import Init
from mmssl_geo.benchmark.plan.suite import Task
from mmssl_geo.benchmark.report.statistics import summarise
from mmssl_geo.benchmark.report.table import Row, make_rows, markdown, write_tables
from mmssl_geo.benchmark.run.work_folder import JobFolder
from mmssl_geo.visualization.benchmark_figure import benchmark_figure

TASK = Task('detect', 'coco', {'AP': 'x', 'AP50': 'y'}, paper={'AP': dict(gtsa=35.8)})
STARTS = [Init('scratch', is_baseline=True), Init('dino', is_baseline=True), Init('gtsa')]
VALUES = {
    ('detect', 'scratch', 0): dict(AP=10., AP50=20.), ('detect', 'scratch', 1): dict(AP=12., AP50=20.),
    ('detect', 'dino', 0): dict(AP=15., AP50=30.),
    ('detect', 'gtsa', 0): dict(AP=20., AP50=40.), ('detect', 'gtsa', 1): dict(AP=21., AP50=40.)}


def test_rows_compare_equal_seeds_with_each_baseline():
    rows = make_rows(VALUES, [TASK], STARTS)
    assert [(row.metric, row.init) for row in rows] == [
        (metric, start) for metric in ('AP', 'AP50') for start in ('scratch', 'dino', 'gtsa')]
    scratch, dino, gtsa = rows[:3]
    assert gtsa.summary[:2] == (2, 20.5) and dino.summary == (1, 15., None)
    assert gtsa.differences['scratch'].mean == 9.5  # of 10 and 9
    assert gtsa.differences['dino'] == (1, 5., None, None)  # seed 0 alone
    assert set(scratch.differences) == {'dino'}


def test_markdown_shows_mean_deviation_interval_and_published_number():
    lines = markdown(make_rows(VALUES, [TASK], STARTS), ['scratch', 'dino']).splitlines()
    assert lines[0] == (
        '| task | metric | start | n | mean ± sd | minus scratch [95 %] | minus dino [95 %] | published |')
    # differences 10 and 9: half an interval is 12.7062 x sqrt(0.5) / sqrt(2)
    assert lines[4] == '| detect | AP | gtsa | 2 | 20.50 ± 0.71 | +9.50 [+3.15, +15.85] | +5.00 | gtsa 35.8 |'
    assert lines[3] == '| detect | AP | dino | 1 | 15.00 | +5.00 | – | gtsa 35.8 |'


def test_every_value_names_its_job(world):
    request = world.request(baselines=['scratch'], seeds=2)
    folder = JobFolder(world.out / 'jobs/segment/ours/seed-1')
    folder.begin({}, {})
    folder.finish(dict(metrics={'mIoU': 41.5}))
    failed = JobFolder(world.out / 'jobs/segment/ours/seed-0')
    failed.begin({}, {})
    failed.fail('no paint')
    report = write_tables(request, dict(scratch='never pretrained'))
    assert not report.is_complete and '| segment | mIoU | ours | 1 | 41.50 | – |  |' in report.text
    assert '| segment, ours | 1 | 41.50 | jobs/segment/ours/seed-1/result.json |' in report.text
    assert '| segment, ours | 0 | FAILED: no paint |' in report.text
    assert '| segment, scratch | 0 | FAILED: never pretrained |' in report.text
    with open(world.out / 'results_by_seed.csv') as file:
        assert list(csv.DictReader(file)) == [dict(
            task='segment', start='ours', seed='1', metric='mIoU', value='41.5', folder='jobs/segment/ours/seed-1')]
    with open(world.out / 'results.csv') as file:
        assert [row['mean'] for row in csv.DictReader(file)] == ['41.5']


def test_picture_has_a_panel_a_metric_a_mark_a_start_and_a_dot_a_seed():
    figure = benchmark_figure(make_rows(VALUES, [TASK], STARTS))
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title(loc='left') for axes in shown] == ['detect\nAP', 'detect\nAP50']
    means = [line.get_ydata()[0] for line in shown[0].lines if line.get_marker() == 'D']
    assert [round(mean, 6) for mean in means] == [11., 15., 20.5]
    assert [len(line.get_ydata()) for line in shown[0].lines if line.get_marker() == 'o'] == [2, 1, 2]


def test_picture_of_one_value_and_of_negative_ones():
    for values in ({0: 0.}, {0: -3., 1: -1.}):
        row = Row('t', 'm', 's', values, summarise(list(values.values())), {}, {})
        low, high = benchmark_figure([row]).axes[0].get_ylim()
        assert low < high and low <= min(values.values()) and max(values.values()) <= high
