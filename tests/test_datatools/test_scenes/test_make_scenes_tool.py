import subprocess
import sys
from functools import partial

import pytest

from tests.support.tools import run_process

run = partial(run_process, 'make_scenes.py')


def test_command_makes_both_splits_and_shows_progress(tmp_path):
    done = run(tmp_path / 'out', '--num', 4, '--num-val', 2, '--size', 64, '--seed', 1, '--workers', 2)
    assert done.returncode == 0, done.stderr
    assert '4/4 [' in done.stderr and 'train scenes/s' in done.stderr and 'val scenes/s' in done.stderr
    assert len(list((tmp_path / 'out' / 'images').rglob('*.jpg'))) == 6


@pytest.mark.parametrize(
    'args, sentence',
    [
        (['--num', 0], 'cannot generate 0 training and 0 validation scenes'),
        (['--num', 2, '--size', 8], 'size is 8; choose 32 to 4096 pixels'),
    ],
)
def test_a_mistake_is_one_sentence_and_status_1(tmp_path, args, sentence):
    done = run(tmp_path / 'out', *args)
    assert done.returncode == 1 and sentence in done.stderr and 'Traceback' not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_strange_folder_is_refused(tmp_path):
    (tmp_path / 'mine').write_text('')
    done = run(tmp_path, '--num', 1)
    assert done.returncode == 1 and 'not empty' in done.stderr and 'Traceback' not in done.stderr


def test_scenes_need_no_openmmlab():
    code = (
        'import sys; import mmssl_geo.datatools.scenes; '
        "assert not {'mmengine', 'mmcv', 'mmdet', 'mmseg', 'mmpretrain'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
