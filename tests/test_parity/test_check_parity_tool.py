"""Exit status and messages of `tools/check_parity.py`."""
import numpy as np
import pytest
import torch

from tests.helpers import ROOT

NAMES = [
    'boxes in the teacher views', 'boxes in the student views', 'boxes taken back by the turned pixels', 'crop loss',
    'crop loss, gradient', 'patch correspondence loss', 'patch correspondence loss, gradient',
    'rotation loss of the stored tokens', 'crop loss of the stored outputs',
    'patch correspondence loss of the stored outputs', '224 px views, teacher outputs', '224 px views, student tokens',
    '224 px views, student outputs', '96 px views, student tokens', '96 px views, student outputs',
    'training steps: losses', 'training steps: clipped gradients', 'training steps: student parameters',
    'training steps: teacher parameters', 'schedules: learning rate', 'schedules: weight decay',
    'schedules: teacher momentum']


def test_the_reference_set_holds(main):
    status, out, err = main(ROOT / 'tests/data/parity')
    *lines, last = out.splitlines()
    assert status == 0 and not err
    assert [line[:52].strip() for line in lines] == NAMES
    assert last == 'all 22 quantities hold'
    verdicts = [line[66:] for line in lines]
    assert [verdict for verdict in verdicts if not verdict.startswith('ok (tolerance')] == ['known, reported only'] * 2


def test_a_difference_is_said_and_counted(main, folder, rewrite):
    def change(arrays):
        arrays['param_abs_sum/rot_predictor.3.bias'][1] *= 1 + 1e-5

    rewrite(folder / 'train_steps.npz', change)
    status, out, _ = main(folder)
    assert status == 1
    line, = (line for line in out.splitlines() if 'DIFFERS' in line)
    assert line.startswith('training steps: student parameters ')
    assert line.endswith(' 1.0e-05     DIFFERS (tolerance 1e-06), most in rot_predictor.3.bias')
    assert out.splitlines()[-1] == '1 of 22 quantities differ'


@pytest.mark.parametrize('name', [
    'boxes.npz', 'losses.npz', 'tiny_model.npz', 'official_tiny.pth', 'train_steps.npz', 'schedules.npz'])
@pytest.mark.parametrize('fault', ['missing', 'truncated', 'text', 'empty'])
def test_a_file_that_is_missing_or_no_such_file(name, fault, main, folder):
    path = folder / name
    if fault == 'missing':
        path.unlink()
    else:
        path.write_bytes(dict(truncated=path.read_bytes()[:-900], text=b'no such thing\n', empty=b'')[fault])
    status, out, err = main(folder)
    assert status == 2 and not out
    assert name in err and 'Traceback' not in err and err.count('\n') == 1


@pytest.mark.parametrize('file,array', [
    ('boxes.npz', 'crop_boxes'), ('losses.npz', 'pc_grad_local'), ('losses.npz', 'angles'), ('tiny_model.npz', 'view4'),
    ('tiny_model.npz', 'num_heads'), ('tiny_model.npz', 'rotation_loss'), ('train_steps.npz', 'clip'),
    ('train_steps.npz', 'grad_abs_sum/rot_predictor.0.bias'),
    ('train_steps.npz', 'param_abs_sum/momentum_encoder.cls_token'), ('schedules.npz', 'momentum_start')])
def test_a_missing_array_is_named(file, array, main, folder, rewrite):
    rewrite(folder / file, lambda arrays: arrays.pop(array))
    status, _, err = main(folder)
    assert status == 2 and f'{file} has no array {array}\n' in err


@pytest.mark.parametrize('weight', [
    'base_encoder.pos_embed', 'base_encoder.blocks.0.mlp.fc1.weight', 'base_encoder.blocks.2.norm1.bias',
    'momentum_encoder.norm.weight', 'base_projector.blocks.1.0.bias', 'rot_predictor.4.weight'])
def test_a_missing_weight_is_named(weight, main, folder):
    path = folder / 'official_tiny.pth'
    checkpoint = torch.load(path, weights_only=False)
    del checkpoint['model'][weight]
    torch.save(checkpoint, path)
    status, _, err = main(folder)
    assert status == 2 and f'official_tiny.pth has no weight {weight}' in err


@pytest.mark.parametrize('change,message', [
    (lambda model: model.update(surplus=torch.ones(2)), '1 weights that the model lacks, the first is surplus'),
    (lambda model: model.update({'base_encoder.norm.bias': torch.ones(7)}), r'norm.bias has the shape \(7,\)'),
    (lambda model: model.clear(), 'has no weight base_encoder.pos_embed')])
def test_weights_that_do_not_fit(change, message, main, folder):
    path = folder / 'official_tiny.pth'
    checkpoint = torch.load(path, weights_only=False)
    change(checkpoint['model'])
    torch.save(checkpoint, path)
    status, _, err = main(folder)
    assert status == 2
    with pytest.raises(ValueError, match=message):
        raise ValueError(err)


@pytest.mark.parametrize('file,array,value,message', [
    ('boxes.npz', 'angles', np.zeros((7, 4)), 'angles has the shape (7, 4), which does not fit (N V)'),
    ('boxes.npz', 'angles', np.full((7, 5), 45), 'other values than multiples of 90 degrees'),
    ('losses.npz', 'student_local', np.zeros((4, 5, 6, 6)), 'student_local has the shape (4, 5, 6, 6)'),
    ('losses.npz', 'crop_loss', np.zeros(2), 'crop_loss has the shape (2,)'),
    ('losses.npz', 'crop_loss', np.array(None), 'cannot be read as arrays of numbers'),
    ('losses.npz', 'crop_loss', np.array('one'), 'cannot be read as arrays of numbers'),
    ('tiny_model.npz', 'view1', np.zeros((3, 3, 96, 96)), 'view1 has the shape (3, 3, 96, 96)'),
    ('tiny_model.npz', 'num_heads', np.array(5), '5 heads do not divide the width 24'),
    ('tiny_model.npz', 'num_heads', np.array(np.nan), 'num_heads is nan, it has to be a whole number from 1 on'),
    ('tiny_model.npz', 'patch_size', np.array(8), 'does not fit the other weights and tiny_model.npz'),
    ('train_steps.npz', 'param_abs_sum/unheard.of', np.ones(4), 'param_abs_sum/unheard.of belongs to no weight'),
    ('train_steps.npz', 'grad_abs_sum/rot_predictor.0.bias', np.ones(3), 'shape (3,), (4,) is due'),
    ('schedules.npz', 'epochs', np.array(1.5), 'epochs is 1.5')])
def test_an_array_that_does_not_fit(file, array, value, message, main, folder, rewrite):
    rewrite(folder / file, lambda arrays: arrays.update({array: value}))
    status, _, err = main(folder)
    assert status == 2 and file in err and message in err


def test_a_checkpoint_without_weights(main, folder):
    torch.save(dict(state_dict={}), folder / 'official_tiny.pth')
    status, _, err = main(folder)
    assert status == 2 and 'official_tiny.pth has no `model` with weights' in err


def test_a_folder_that_does_not_exist(main, tmp_path):
    status, _, err = main(tmp_path / 'nowhere')
    assert status == 2 and err == f'error: there is no folder {tmp_path / "nowhere"}\n'
