"""Reads the official checkpoint of a reference set."""
import torch

from mmssl_geo.checkpoints import read_checkpoint
from mmssl_geo.utils.errors import UserError


def read_weights(path):
    """Weights by their official names.

    Raises:
        UserError: the file cannot be read, would need code to be run, or a weight is no finite tensor of floats.
    """
    weights = _read(path).get('model')
    if not isinstance(weights, dict):
        raise UserError(f'{path} has no `model` with weights: it is no official training checkpoint')
    for name, value in weights.items():
        if not isinstance(name, str):
            raise UserError(f'{path}: `model` has the key {name!r}, names of weights are due')
        if not (isinstance(value, torch.Tensor) and value.is_floating_point()):
            kind = value.dtype if isinstance(value, torch.Tensor) else type(value).__name__
            raise UserError(f'{path}: {name} is of type {kind}, a tensor of floats is due')
        if value.numel() == 0:
            raise UserError(f'{path}: {name} has the shape {tuple(value.shape)}, it is empty')
        if not value.double().isfinite().all():
            raise UserError(f'{path}: {name} holds a value that is NaN or infinite')
    return weights


def _read(path):
    try:
        return read_checkpoint(path)
    except UserError as error:
        if '--allow-unsafe' not in str(error):  # an option that this tool lacks
            raise
        what = f' ({error.__cause__})' if error.__cause__ else ''
        raise UserError(f'{path} needs code to be run{what}, so it is not read; a reference set has plain tensors '
                        'only, saved by torch.save') from error
