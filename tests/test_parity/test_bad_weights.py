"""Checkpoints that cannot be used: the weight is named, with exit status 2."""
import os

import pytest
import torch


@pytest.fixture
def main_with(main, folder):
    """Calls the tool on a set whose weights a function has changed."""
    def run(change):
        path = folder / 'official_tiny.pth'
        checkpoint = torch.load(path, weights_only=False)
        change(checkpoint['model'])
        torch.save(checkpoint, path)
        return main(folder)

    return run


def replaced(name, value):
    return lambda model: model.update({name: value})


def removed(name):
    return lambda model: model.pop(name)


def cast(name, dtype):
    return lambda model: model.update({name: model[name].to(dtype)})


def of_nan(model):
    model['rot_predictor.4.weight'][2] = torch.nan


@pytest.mark.parametrize('weight', [
    'base_encoder.pos_embed', 'base_encoder.blocks.0.mlp.fc1.weight', 'base_encoder.blocks.2.norm1.bias',
    'momentum_encoder.norm.weight', 'base_projector.blocks.1.0.bias', 'rot_predictor.4.weight'])
def test_a_missing_weight_is_named(weight, main_with):
    status, _, err = main_with(removed(weight))
    assert status == 2 and f'official_tiny.pth has no weight {weight}' in err


@pytest.mark.parametrize('change,message', [
    (replaced('surplus', torch.ones(2)), '1 weights that the model lacks, the first is surplus'),
    (replaced('base_encoder.norm.bias', torch.ones(7)), 'norm.bias has the shape (7,), which does not fit'),
    (lambda model: model.clear(), 'has no weight base_encoder.'),
    (replaced('base_encoder.pos_embed', torch.ones(5)), 'base_encoder.pos_embed has the shape (5,), 3 dimensions'),
    (replaced('base_encoder.pos_embed', torch.ones(1, 1, 24)),
     'base_encoder.pos_embed has the shape (1, 1, 24), which'),
    (replaced('base_encoder.cls_token', torch.tensor(1.)), 'base_encoder.cls_token has the shape (), 3 dimensions'),
    (replaced('rot_predictor.0.weight', torch.tensor(1.)), 'rot_predictor.0.weight has the shape (), 2 dimensions'),
    (replaced('base_projector.proj.weight', torch.ones(16)), 'base_projector.proj.weight has the shape (16,), 4 dim'),
    (replaced('rot_predictor.0.weight', torch.ones(0, 24)),
     'rot_predictor.0.weight has the shape (0, 24), it is empty'),
    (replaced('base_encoder.blocks.500000.norm1.weight', torch.ones(24)),
     'no weight base_encoder.blocks.3.norm1.weight'),
    (replaced(3, torch.ones(1)), '`model` has the key 3, names of weights are due'),
    (cast('base_encoder.cls_token', torch.complex64), 'base_encoder.cls_token is of type torch.complex64'),
    (cast('base_encoder.cls_token', torch.int32), 'base_encoder.cls_token is of type torch.int32, a tensor of floats'),
    (replaced('rot_predictor.0.bias', None), 'rot_predictor.0.bias is of type NoneType, a tensor of floats is due'),
    (of_nan, 'rot_predictor.4.weight holds a value that is NaN or infinite')])
def test_weights_that_do_not_fit(change, message, main_with):
    status, out, err = main_with(change)
    assert status == 2 and 'official_tiny.pth' in err and message in err and err.count('\n') == 1


def test_double_weights_are_read(main_with):
    assert main_with(lambda model: model.update({name: value.double() for name, value in model.items()}))[0] == 0


@pytest.mark.parametrize('contents', [dict(state_dict={}), dict(model=[torch.ones(2)])])
def test_a_checkpoint_without_weights(contents, main, folder):
    torch.save(contents, folder / 'official_tiny.pth')
    status, _, err = main(folder)
    assert status == 2 and 'official_tiny.pth has no `model` with weights' in err


class _Code:
    def __reduce__(self):
        return os.mkdir, ('ran',)


def test_a_checkpoint_that_needs_code(main, folder, monkeypatch):
    """No option is named that the tool lacks."""
    monkeypatch.chdir(folder)
    torch.save(dict(model=_Code()), 'official_tiny.pth')
    status, _, err = main(folder)
    assert status == 2 and not (folder / 'ran').exists()
    assert err == (f'error: {folder / "official_tiny.pth"} needs code to be run ({os.name}.mkdir), so it is not read; '
                   'a reference set has plain tensors only, saved by torch.save\n')


def test_a_torchscript_archive(main, folder):
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(folder / 'official_tiny.pth'))
    status, _, err = main(folder)
    assert status == 2 and 'official_tiny.pth needs code to be run, so it is not read;' in err and 'allow' not in err
