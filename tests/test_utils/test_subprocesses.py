import sys

import pytest

from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.subprocesses import run_logged, training_progress


@pytest.mark.parametrize(
    'line,short',
    [
        (
            'Epoch(train)  [2][ 4/16]  lr: 1e-4  eta: 0:00:13  time: 0.59  loss: -0.0735  loss_crop: -0.5\n',
            'train: epoch 2, iteration 4 of 16, 0:00:13 to go, loss -0.0735',
        ),
        (
            'Iter(train) [ 60/120]  lr: 1e-4  eta: 0:01:00  loss: 1.5\n',
            'train: iteration 60 of 120, 0:01:00 to go, loss 1.5',
        ),
        ('Epoch(val) [12][12/12]    coco/bbox_mAP: 0.1\n', None),
        ('Saving checkpoint at 1 epochs\n', None),
    ],
)
def test_progress_of_a_log_line(line, short):
    assert training_progress(line) == short


def test_a_failed_step_names_its_log_and_last_line(tmp_path):
    code = 'import os; print(os.environ["DATA_ROOT"]); print("last words"); raise SystemExit(3)'
    command = [sys.executable, '-c', code]
    with pytest.raises(UserError, match='this step failed: last words .*step.log'):
        run_logged(command, tmp_path / 'step.log', env={'DATA_ROOT': 'here'})
    assert (tmp_path / 'step.log').read_text() == 'here\nlast words\n'


def test_a_killed_step_is_not_explained_by_its_last_line(tmp_path):
    code = 'import os; print("saved", flush=True); os.kill(os.getpid(), 9)'
    with pytest.raises(UserError, match=r'this step failed: ended by signal 9 \(Killed\) .*step.log'):
        run_logged([sys.executable, '-c', code], tmp_path / 'step.log')
