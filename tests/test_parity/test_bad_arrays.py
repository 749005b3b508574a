"""Messages name invalid arrays; the exit status is 2."""

import numpy as np
import pytest


def first_rows(count):
    """Truncates all arrays except scalars."""
    return lambda arrays: arrays.update({name: array[:count] for name, array in arrays.items() if array.ndim})


def as_type(array, dtype):
    return lambda arrays: arrays.update({array: arrays[array].astype(dtype)})


def no_channels(arrays):
    arrays.update({name: array[:, :0] for name, array in arrays.items() if array.ndim == 4 and 'boxes' not in name})


def one_view(arrays):
    arrays.update(
        crop_boxes=arrays['crop_boxes'][:, :1],
        angles=arrays['angles'][:, :1],
        teacher_boxes=arrays['teacher_boxes'][:, :1, :1],
        student_boxes=arrays['student_boxes'][:, :1, :1],
    )


def corrupted(array, place, value):
    def change(arrays):
        arrays[array] = arrays[array].astype(float)
        arrays[array][place] = value

    return change


@pytest.mark.parametrize(
    'file,array,value,message',
    [
        (
            'boxes.npz',
            'angles',
            np.zeros((7, 4)),
            'angles has shape (7, 4), expected (N V) with V = 5 as in crop_boxes',
        ),
        ('boxes.npz', 'angles', np.zeros(35), 'angles has shape (35,), expected (N V)'),
        ('boxes.npz', 'crop_boxes', np.zeros((7, 5, 3)), 'crop_boxes has shape (7, 5, 3), expected (N V 4)\n'),
        ('boxes.npz', 'angles', np.full((7, 5), 45), 'angles contains values that are not multiples of 90 degrees'),
        (
            'losses.npz',
            'student_local',
            np.zeros((4, 5, 6, 6)),
            'student_local has shape (4, 5, 6, 6), expected '
            '(LB C h h) with L = 3 as in teacher_boxes and B = 2 as in teacher_boxes',
        ),
        ('losses.npz', 'student_global', np.zeros((4, 5, 14, 13)), 'with H = 14 as in teacher_global'),
        ('losses.npz', 'crop_loss', np.zeros(2), 'crop_loss has shape (2,), expected a single number'),
        (
            'losses.npz',
            'crop_loss',
            np.array(None),
            'crop_loss is damaged, or contains Python objects instead of numbers\n',
        ),
        ('losses.npz', 'crop_loss', np.array('one'), 'crop_loss has dtype <U3, expected integers or floats'),
        (
            'tiny_model.npz',
            'view1',
            np.zeros((3, 3, 96, 96)),
            'view1 has shape (3, 3, 96, 96), expected (B 3 S S) with S = 224 as in view0',
        ),
        ('tiny_model.npz', 'num_heads', np.array(5), 'the width 24 of official_tiny.pth is not a multiple of 5 heads'),
        ('tiny_model.npz', 'num_heads', np.array(0), 'num_heads is 0.0, but must be an integer of at least 1'),
        (
            'tiny_model.npz',
            'patch_size',
            np.array(8),
            'view0 has 224 px per side and student_out_global 14 cells, which does not fit patch_size 8',
        ),
        (
            'train_steps.npz',
            'param_abs_sum/unheard.of',
            np.ones(4),
            'param_abs_sum/unheard.of does not belong to any weight',
        ),
        ('train_steps.npz', 'grad_abs_sum/rot_predictor.0.bias', np.ones(3), 'shape (3,), expected (4,) as for lr'),
        ('schedules.npz', 'epochs', np.array(1.5), 'epochs is 1.5'),
        (
            'schedules.npz',
            'epochs',
            np.array(10**7),
            'epochs x iters_per_epoch is 10000000 x 17 = 170000000, but lr, weight_decay and momentum have 204 values',
        ),
        ('schedules.npz', 'iters_per_epoch', np.array(16), 'epochs x iters_per_epoch is 12 x 16 = 192, but lr,'),
    ],
)
def test_an_array_that_does_not_fit(file, array, value, message, main, folder, rewrite):
    rewrite(folder / file, lambda arrays: arrays.update({array: value}))
    status, _, err = main(folder)
    assert status == 2 and file in err and message in err


@pytest.mark.parametrize(
    'file,change,message',
    [
        ('train_steps.npz', first_rows(0), 'lr is empty, its shape is (0,)'),
        ('boxes.npz', first_rows(0), 'crop_boxes is empty, its shape is (0, 5, 4)'),
        ('losses.npz', no_channels, 'teacher_global is empty, its shape is (4, 0, 14, 14)'),
        ('boxes.npz', one_view, 'crop_boxes has 1 views'),
    ],
)
def test_nothing_to_compare(file, change, message, main, folder, rewrite):
    rewrite(folder / file, change)
    status, out, err = main(folder)
    assert status == 2 and not out and f'{file}: {message}' in err


@pytest.mark.parametrize('dtype', [bool, complex, str, 'M8[s]'])
@pytest.mark.parametrize('file,array', [('boxes.npz', 'angles'), ('tiny_model.npz', 'view0')])
def test_types_other_than_integers_and_floats(file, array, dtype, main, folder, rewrite):
    rewrite(folder / file, lambda arrays: arrays.update({array: np.zeros(arrays[array].shape).astype(dtype)}))
    status, out, err = main(folder)
    assert status == 2 and not out and f'{file}: {array} has dtype ' in err and err.count('\n') == 1


@pytest.mark.parametrize('dtype', ['>f8', np.longdouble, np.float32, np.int16, np.uint64])
def test_any_integers_and_floats_are_read(dtype, main, folder, rewrite):
    rewrite(folder / 'boxes.npz', as_type('angles', dtype))
    assert main(folder)[0] == 0


@pytest.mark.parametrize(
    'file,array,place',
    [
        ('boxes.npz', 'teacher_boxes', (0, 0, 0, 0)),  # of a view with itself, never compared
        ('boxes.npz', 'angles', (0, 0)),
        ('losses.npz', 'crop_loss', ()),
        ('tiny_model.npz', 'student_tokens_local', (0, 0, 0)),
        ('tiny_model.npz', 'num_heads', ()),
        ('train_steps.npz', 'param_abs_sum/rot_predictor.3.bias', 1),
        ('schedules.npz', 'lr', -1),
    ],
)
@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(file, array, place, value, main, folder, rewrite):
    rewrite(folder / file, corrupted(array, place, value))
    status, out, err = main(folder)
    assert status == 2 and not out and f'{file}: {array} contains NaN or infinite values\n' in err


@pytest.mark.parametrize('contents', [b'no such thing\n', b'PK\x03\x04 no such thing', b'\x80\x04N.'])
def test_a_file_that_is_not_an_archive(contents, main, folder):
    (folder / 'boxes.npz').write_bytes(contents)
    status, _, err = main(folder)
    assert status == 2
    path = folder / 'boxes.npz'
    assert err == f'error: {path} is not an .npz archive, or is truncated or damaged\n'


def test_one_array_instead_of_an_archive(main, folder):
    with open(folder / 'boxes.npz', 'wb') as file:
        np.save(file, np.zeros(3))
    status, _, err = main(folder)
    assert status == 2 and 'boxes.npz is not an .npz archive' in err
