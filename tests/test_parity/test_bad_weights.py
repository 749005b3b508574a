"""Messages name invalid weights; the exit status is 2."""

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


@pytest.mark.parametrize(
    'weight',
    [
        'base_encoder.pos_embed',
        'base_encoder.blocks.0.mlp.fc1.weight',
        'base_encoder.blocks.2.norm1.bias',
        'momentum_encoder.norm.weight',
        'base_projector.blocks.1.0.bias',
        'rot_predictor.4.weight',
    ],
)
def test_a_missing_weight_is_named(weight, main_with):
    status, _, err = main_with(removed(weight))
    assert status == 2 and f'official_tiny.pth has no weight {weight}' in err


@pytest.mark.parametrize(
    'change,message',
    [
        (replaced('surplus', torch.ones(2)), '1 weights that the model does not have; the first is surplus'),
        (
            replaced('base_encoder.norm.bias', torch.ones(7)),
            'norm.bias has shape (7,), but the other weights and tiny_model.npz need (24,)',
        ),
        (lambda model: model.clear(), 'has no weight base_encoder.'),
        (
            replaced('base_encoder.pos_embed', torch.ones(5)),
            'base_encoder.pos_embed has shape (5,), expected 3 dimensions',
        ),
        (replaced('base_encoder.pos_embed', torch.ones(1, 1, 24)), 'base_encoder.pos_embed has shape (1, 1, 24), but'),
        (
            replaced('base_encoder.cls_token', torch.tensor(1.0)),
            'base_encoder.cls_token has shape (), expected 3 dimensions',
        ),
        (
            replaced('rot_predictor.0.weight', torch.tensor(1.0)),
            'rot_predictor.0.weight has shape (), expected 2 dimensions',
        ),
        (
            replaced('base_projector.proj.weight', torch.ones(16)),
            'base_projector.proj.weight has shape (16,), expected 4 dim',
        ),
        (
            replaced('rot_predictor.0.weight', torch.ones(0, 24)),
            'rot_predictor.0.weight is empty, its shape is (0, 24)',
        ),
        (
            replaced('base_encoder.blocks.500000.norm1.weight', torch.ones(24)),
            'no weight base_encoder.blocks.3.norm1.weight',
        ),
        (replaced(3, torch.ones(1)), '`model` has the key 3, expected names of weights'),
        (cast('base_encoder.cls_token', torch.complex64), 'base_encoder.cls_token is of type torch.complex64'),
        (
            cast('base_encoder.cls_token', torch.int32),
            'base_encoder.cls_token is of type torch.int32, expected a tensor of floats',
        ),
        (
            replaced('rot_predictor.0.bias', None),
            'rot_predictor.0.bias is of type NoneType, expected a tensor of floats',
        ),
        (of_nan, 'rot_predictor.4.weight contains NaN or infinite values'),
    ],
)
def test_weights_that_do_not_fit(change, message, main_with):
    status, out, err = main_with(change)
    assert status == 2 and 'official_tiny.pth' in err and message in err and err.count('\n') == 1


def test_double_weights_are_read(main_with):
    assert main_with(lambda model: model.update({name: value.double() for name, value in model.items()}))[0] == 0


@pytest.mark.parametrize('contents', [dict(state_dict={}), dict(model=[torch.ones(2)])])
def test_a_checkpoint_without_weights(contents, main, folder):
    torch.save(contents, folder / 'official_tiny.pth')
    status, _, err = main(folder)
    assert status == 2 and 'official_tiny.pth has no dict of weights under `model`' in err


class _Code:
    def __reduce__(self):
        return os.mkdir, ('ran',)


def test_a_checkpoint_that_needs_code(main, folder, monkeypatch):
    """The message does not mention an option that the tool lacks."""
    monkeypatch.chdir(folder)
    torch.save(dict(model=_Code()), 'official_tiny.pth')
    status, _, err = main(folder)
    assert status == 2 and not (folder / 'ran').exists()
    assert err == (
        f'error: {folder / "official_tiny.pth"}: reading it would run code ({os.name}.mkdir). '
        'A reference set must contain plain tensors only, saved by torch.save\n'
    )


def test_a_torchscript_archive(main, folder):
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(folder / 'official_tiny.pth'))
    status, _, err = main(folder)
    assert status == 2 and 'official_tiny.pth: reading it would run code.' in err and 'allow' not in err
