"""Reads the arrays of one file of a reference set and looks at their types, values and shapes."""
import math

import numpy as np
import torch

from mmssl_geo.utils.errors import UserError

_COUNTS = dict(num_heads=1, patch_size=1, iters_per_epoch=1, epochs=1, batch_size=1, warmup_epochs=0)


def read_arrays(path, shapes):
    """Reads a file.

    Args:
        path: the `.npz` file.
        shapes: array -> sizes. A letter stands for one size throughout the file, two letters for their product; the
            capital L is V - G.

    Returns:
        dict: array -> float64 tensor.

    Raises:
        UserError: names the file and the array that is missing, cannot be used or does not fit the others.
    """
    arrays = _load(path)
    sizes = _check_shapes(path, arrays, shapes, {})
    _check_numbers(path, arrays)
    if 'G' in sizes and not max(2, sizes['G'][0]) <= sizes['V'][0]:
        raise UserError(f'{path}: {sizes["V"][1]} is of {sizes["V"][0]} views, {sizes["G"][1]} of {sizes["G"][0]} '
                        'global ones; at least two views are due, and no more global ones than views')
    if 'patch_size' in arrays:
        _check_views(path, arrays, sizes)
    if 'epochs' in arrays:
        _check_iterations(path, arrays)
    return arrays


def _load(path):
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: _member(path, file, name) for name in file.files}
    except UserError:
        raise
    except Exception as error:  # bytes that are no archive make numpy fail in any way there is
        raise UserError(f'{path} cannot be read as an .npz archive: it is none, or truncated or damaged') from error


def _member(path, file, name):
    try:
        values = np.asarray(file[name])
    except Exception as error:
        raise UserError(f'{path}: {name} is damaged, or holds Python objects instead of numbers') from error
    if values.dtype.kind not in 'fiu':
        raise UserError(f'{path}: {name} is of type {values.dtype}, integers or floats are due')
    values = torch.from_numpy(values.astype(np.float64))
    if not values.isfinite().all():
        raise UserError(f'{path}: {name} holds a value that is NaN or infinite')
    return values


def _check_shapes(path, arrays, shapes, sizes):
    """Compares every shape with what is due; returns the letters' sizes, each with the array that has set it."""
    for name, due in shapes.items():
        if name not in arrays:
            raise UserError(f'{path} has no array {name}')
        shape, letters = tuple(arrays[name].shape), due.split()
        if 0 in shape:
            raise UserError(f'{path}: {name} has the shape {shape}, it is empty')
        if len(shape) != len(letters):
            raise UserError(f'{path}: {name} has the shape {shape}, {f"({due})" if due else "a single number"} is due')
        for letter, size in zip(letters, shape, strict=True):
            if len(letter) == 1 and letter.isalpha():
                sizes.setdefault(letter, (size, name))
        if {'V', 'G'} <= set(sizes):
            sizes['L'] = sizes['V'][0] - sizes['G'][0], sizes['V'][1]
        for product, size in zip(letters, shape, strict=True):
            if size != _size(product, sizes):
                raise UserError(f'{path}: {name} has the shape {shape}, which does not fit ({due})'
                                f'{_origin(product, sizes)}')
    return sizes


def _size(product, sizes):
    """Of digits the number, else the product of what the letters stand for."""
    return int(product) if product.isdigit() else math.prod(sizes[letter][0] for letter in product)


def _origin(product, sizes):
    if product.isdigit():
        return ''
    return ' with ' + ' and '.join(
        f'{letter} = {sizes[letter][0]} as in {sizes[letter][1]}' for letter in dict.fromkeys(product))


def _check_numbers(path, arrays):
    for name, least in _COUNTS.items():
        if name in arrays and not (arrays[name] >= least and arrays[name] == arrays[name].round()):
            raise UserError(f'{path}: {name} is {arrays[name].item()}, it has to be a whole number from {least} on')
    if 'angles' in arrays and not (arrays['angles'] % 90 == 0).all():
        raise UserError(f'{path}: angles holds other values than multiples of 90 degrees')


def _check_views(path, arrays, sizes):
    """The images: one array a view, as many patches as the stored maps have cells."""
    num_global = sizes['G'][0]
    _check_shapes(path, arrays, {
        f'view{v}': f'B 3 {side} {side}' for v, side in enumerate(['S'] * num_global + ['s'] * sizes['L'][0])}, sizes)
    patch_size = int(arrays['patch_size'])
    for cells, side in (('H', 'S'), ('h', 's')):
        if sizes[cells][0] * patch_size != sizes[side][0]:
            raise UserError(f'{path}: {sizes[side][1]} has a side of {sizes[side][0]} px, {sizes[cells][1]} one of '
                            f'{sizes[cells][0]} cells; with patch_size {patch_size} they do not fit')


def _check_iterations(path, arrays):
    epochs, per_epoch = int(arrays['epochs']), int(arrays['iters_per_epoch'])
    if epochs * per_epoch != len(arrays['lr']):
        raise UserError(f'{path}: epochs x iters_per_epoch is {epochs} x {per_epoch} = {epochs * per_epoch}, but lr, '
                        f'weight_decay and momentum have {len(arrays["lr"])} values')
