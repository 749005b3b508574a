import sys

import pytest

from mmssl_geo.benchmark.quickstart import format_table, last_validation
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.subprocesses import progress_line, run_step


@pytest.mark.parametrize('line,short', [
    ('Epoch(train)  [2][ 4/16]  lr: 1e-4  eta: 0:00:13  time: 0.59  loss: -0.0735  loss_crop: -0.5\n',
     'train: epoch 2, iteration 4 of 16, 0:00:13 to go, loss -0.0735'),
    ('Iter(train) [ 60/120]  lr: 1e-4  eta: 0:01:00  loss: 1.5\n',
     'train: iteration 60 of 120, 0:01:00 to go, loss 1.5'),
    ('Epoch(val) [12][12/12]    coco/bbox_mAP: 0.1\n', None),
    ('Saving checkpoint at 1 epochs\n', None),
])
def test_progress_of_a_log_line(line, short):
    assert progress_line(line) == short


def test_a_failed_step_names_its_log_and_last_line(tmp_path):
    code = 'import os; print(os.environ["DATA_ROOT"]); print("last words"); raise SystemExit(3)'
    command = [sys.executable, '-c', code]
    with pytest.raises(UserError, match='this step failed: last words .*step.log'):
        run_step(command, tmp_path / 'step.log', env={'DATA_ROOT': 'here'})
    assert (tmp_path / 'step.log').read_text() == 'here\nlast words\n'


def test_a_killed_step_is_not_explained_by_its_last_line(tmp_path):
    code = 'import os; print("saved", flush=True); os.kill(os.getpid(), 9)'
    with pytest.raises(UserError, match=r'this step failed: ended by signal 9 \(Killed\) .*step.log'):
        run_step([sys.executable, '-c', code], tmp_path / 'step.log')


def test_last_validation_is_the_last_line_without_a_loss(tmp_path):
    scalars = tmp_path / 'run' / 'vis_data' / 'scalars.json'
    scalars.parent.mkdir(parents=True)
    lines = '{"loss": 1.0, "step": 1}', '{"mIoU": 20.0, "step": 1}', '{"mIoU": 30.5, "step": 2}', '{"loss": 0.5}'
    scalars.write_text('\n'.join(lines))
    assert last_validation(tmp_path) == {'mIoU': 30.5, 'step': 2}
    assert last_validation(tmp_path / 'none') == {}


def test_table():
    report = dict(results={'random weights': {'box AP': 10.}, 'GTSA': {'box AP': 12.34}}, best_constant_miou=20.)
    assert '| box AP | 10.0 | 12.3 | +2.3 |' in format_table(report)
    assert 'best constant prediction: 20.0' in format_table(report)
