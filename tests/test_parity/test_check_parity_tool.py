"""Exit status and messages of `tools/check_parity.py`."""

import pytest

from tests.support import ROOT

NAMES = [
    'boxes in the teacher views',
    'boxes in the student views',
    'boxes mapped back by the rotated pixels',
    'crop loss',
    'crop loss, gradient',
    'patch correspondence loss',
    'patch correspondence loss, gradient',
    'rotation loss of the stored tokens',
    'crop loss of the stored outputs',
    'patch correspondence loss of the stored outputs',
    '224 px views, teacher outputs',
    '224 px views, student tokens',
    '224 px views, student outputs',
    '96 px views, student tokens',
    '96 px views, student outputs',
    'training steps: losses',
    'training steps: clipped gradients',
    'training steps: student parameters',
    'training steps: teacher parameters',
    'schedules: learning rate',
    'schedules: weight decay',
    'schedules: teacher momentum',
]


def test_the_reference_set_holds(main):
    status, out, err = main(ROOT / 'tests/data/parity')
    counts, *lines, last = out.splitlines()
    assert counts == (
        '7 samples of 5 views; losses of 2 images; net of width 24, 3 blocks, 3 images of 5 views; '
        '4 training steps; 204 iterations'
    )
    assert status == 0 and not err
    assert [line[:52].strip() for line in lines] == NAMES
    assert last == 'all 22 quantities hold'
    verdicts = [line[66:] for line in lines]
    assert [verdict for verdict in verdicts if not verdict.startswith('ok (tolerance')] == ['known, reported only'] * 2


def test_a_difference_is_reported_and_counted(main, folder, rewrite):
    def change(arrays):
        arrays['param_abs_sum/rot_predictor.3.bias'][1] *= 1 + 1e-5

    rewrite(folder / 'train_steps.npz', change)
    status, out, _ = main(folder)
    assert status == 1
    (line,) = (line for line in out.splitlines() if 'DIFFERS' in line)
    assert line.startswith('training steps: student parameters ')
    assert line.endswith(' 1.0e-05     DIFFERS (tolerance 1e-06), largest in rot_predictor.3.bias')
    assert out.splitlines()[-1] == '1 of 22 quantities differ'


@pytest.mark.parametrize(
    'name', ['boxes.npz', 'losses.npz', 'tiny_model.npz', 'official_tiny.pth', 'train_steps.npz', 'schedules.npz']
)
@pytest.mark.parametrize('fault', ['missing', 'truncated', 'text', 'empty'])
def test_a_missing_or_invalid_file(name, fault, main, folder):
    path = folder / name
    if fault == 'missing':
        path.unlink()
    else:
        path.write_bytes(dict(truncated=path.read_bytes()[:-900], text=b'no such thing\n', empty=b'')[fault])
    status, out, err = main(folder)
    assert status == 2 and not out
    assert name in err and 'Traceback' not in err and err.count('\n') == 1


@pytest.mark.parametrize(
    'file,array',
    [
        ('boxes.npz', 'crop_boxes'),
        ('losses.npz', 'pc_grad_local'),
        ('losses.npz', 'angles'),
        ('tiny_model.npz', 'view4'),
        ('tiny_model.npz', 'num_heads'),
        ('tiny_model.npz', 'rotation_loss'),
        ('train_steps.npz', 'clip'),
        ('train_steps.npz', 'grad_abs_sum/rot_predictor.0.bias'),
        ('train_steps.npz', 'param_abs_sum/momentum_encoder.cls_token'),
        ('schedules.npz', 'momentum_start'),
    ],
)
def test_a_missing_array_is_named(file, array, main, folder, rewrite):
    rewrite(folder / file, lambda arrays: arrays.pop(array))
    status, _, err = main(folder)
    assert status == 2 and f'{file} has no array {array}\n' in err


def test_a_folder_that_does_not_exist(main, tmp_path):
    status, _, err = main(tmp_path / 'nowhere')
    assert status == 2 and err == f'error: {tmp_path / "nowhere"}: no such folder\n'
