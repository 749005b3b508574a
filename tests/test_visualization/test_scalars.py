import json

import numpy as np
import pytest

from mmssl_geo.utils.errors import UserError
from mmssl_geo.visualization import read_scalars


def write_run(work_dir, start, entries, tail=''):
    path = work_dir / start / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(''.join(json.dumps(entry) + '\n' for entry in entries) + tail)
    return path


def test_a_resumed_run_replaces_the_steps_that_it_goes_over_again(tmp_path):
    write_run(
        tmp_path,
        '20260101_000000',
        [dict(loss=step / 10, lr=0.1, step=step) for step in (2, 4, 6)],
        tail='{"loss": 0.8, "st',
    )  # killed while it wrote
    write_run(tmp_path, '20260102_000000', [dict(loss=step, iter=step, step=step) for step in (6, 8)])
    scalars = read_scalars(tmp_path)
    steps, values = scalars['loss']
    assert steps.tolist() == [2, 4, 6, 8] and values.tolist() == [0.2, 0.4, 6, 8]
    assert scalars['lr'][0].tolist() == [2, 4, 6] and list(scalars) == ['loss', 'lr', 'iter']
    one_run, _ = read_scalars(tmp_path / '20260102_000000')['loss']
    assert one_run.tolist() == [6, 8]


def test_a_run_from_scratch_replaces_all(tmp_path):
    write_run(tmp_path, '20260101_000000', [dict(loss=1.0, step=step) for step in (2, 4)])
    write_run(tmp_path, '20260102_000000', [dict(loss=float('nan'), step=2)])
    steps, values = read_scalars(tmp_path)['loss']
    assert steps.tolist() == [2] and np.isnan(values).all()


def test_wrong_folders_and_files_are_named(tmp_path):
    with pytest.raises(UserError, match='contains no scalars'):
        read_scalars(tmp_path)
    write_run(tmp_path, '20260101_000000', [dict(loss=1.0), dict(loss=1.0, step=2)])
    with pytest.raises(UserError, match=r'scalars.json, line 1: not a line of scalars'):
        read_scalars(tmp_path)
