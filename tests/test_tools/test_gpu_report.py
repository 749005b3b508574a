"""The report on a GPU: its budget, table and failures; at toy size the whole of it runs on a CPU."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.support import ROOT
from tests.support.tools import load_tool

TOOL = ROOT / 'tools/speed/gpu_report.py'


@pytest.fixture(scope='module')
def report():
    return load_tool('speed/gpu_report.py')


@pytest.fixture(scope='module')
def operators():
    return load_tool('speed/gpu_operators.py')


def section(report, code, seconds=1.0, **options):
    return report.Section('name', ['-c', code], seconds, **options)


def test_the_last_json_line_is_the_result(report):
    one = section(
        report, 'import os; print("noise"); print({"a": 1}); print(\'{"b": 2}\'); print("end", os.environ["X"])'
    )
    one.environment = dict(X='y')
    report.run_section(one, 60)
    assert (one.status, one.result) == ('ok', dict(b=2)) and one.took < 60


def test_a_failure_is_reported_and_nothing_raised(report):
    one = section(report, 'import sys; sys.exit("error: no such file")')
    report.run_section(one, 60)
    assert one.status == 'failed' and one.result.strip() == 'error: no such file'


def test_a_section_without_time_is_skipped_and_one_that_takes_too_long_is_ended(report):
    one = section(report, 'raise SystemExit(1)', seconds=30)
    report.run_section(one, 29)
    assert (one.status, one.result) == ('skipped', '29 s left, needs about 30 s')
    one = section(report, 'import time; time.sleep(60)', seconds=0.1)
    report.run_section(one, 0.5)
    assert (one.status, one.result) == ('failed', 'no time was left to end it') and one.took < 10


@pytest.mark.skipif(torch.cuda.is_available(), reason='about machines without a GPU')
def test_tests_for_gpus_are_skipped_without_one(report):
    one = section(report, 'raise SystemExit(1)', needs_gpu=True)
    report.run_section(one, 60)
    assert (one.status, one.result) == ('skipped', 'needs a GPU')


def test_sections_fit_into_eight_minutes_and_name_existing_files(report, tmp_path):
    for toy in (True, False):
        sections = list(report.sections(tmp_path, toy, 'REFERENCE'))
        assert sum(one.seconds for one in sections) <= 8 * 60
        assert len({one.name for one in sections}) == len(sections)
        paths = [word for one in sections for word in one.command if word.startswith(('tools/', 'configs/'))]
        assert all((ROOT / path).is_file() for path in paths) and len(paths) > 10


def test_table(report):
    one = section(report, '')
    one.status, one.took, one.result = 'ok', 1.25, dict(a='x\ny')
    assert report.table([one]).splitlines()[1].split() == ['name', 'ok', '1.2', "{'a':", "'x\\ny'}"]


def test_compared_checkpoints(operators, tmp_path):
    for name, value in dict(a=1.0, b=1.0, c=1.00001, d=1.1).items():
        torch.save(dict(state_dict=dict(x=torch.full((3,), value))), tmp_path / f'{name}.pth')
    compare = [str(tmp_path / f'{name}.pth') for name in 'abcd']
    assert operators.compare_checkpoints(compare[0], compare[1])['bitwise']
    assert not operators.compare_checkpoints(compare[0], compare[2])['bitwise']
    with pytest.raises(Exception, match='differ by 0.1'):
        operators.compare_checkpoints(compare[0], compare[3])


def test_operators_and_matrix_rate(operators):
    assert operators.compare_operators('cpu') == dict(roi_align=0.0, nms=0.0)
    assert operators.matrix_rate('cpu', 32)['tflops'] >= 0


@pytest.mark.slow
def test_toy_report(tmp_path):
    command = [sys.executable, '-W', 'ignore', str(TOOL), '--toy', '--minutes', '15', '--out', str(tmp_path / 'r.json')]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    content = json.loads(Path(tmp_path / 'r.json').read_text())
    statuses = {one['name']: one['status'] for one in content['sections']}
    assert {name for name, status in statuses.items() if status != 'ok'} <= {'tests marked for GPUs'}
    found = {one['name']: one['result'] for one in content['sections']}
    assert found['weights after the resume']['bitwise'] and found['step']['images_per_s'] > 0
    assert content['versions']['torch'] == torch.__version__ and content['toy']
