"""Reading of a reference set, values computed by the official GTSA code. Everything is checked before anything runs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmssl_geo.checkpoints import read_checkpoint
from mmssl_geo.utils.errors import UserError

Arrays = dict[str, Tensor]
_Sizes = dict[str, tuple[int, str]]  # letter -> (size, name of the array that defines it)

CHECKPOINT = 'official_tiny.pth'
# Shapes of the arrays by file. A letter stands for the same size throughout a file, two letters for their product: N
# samples, B images, V views (the first G are global, L = V - G are local), K steps, H and h sides of feature maps.
# `tiny_model.npz` also has the images, one array per view: view0, view1, ...
_PAIRS = dict(teacher_boxes='B G V 4', student_boxes='B V G 4', angles='V B')
_SHAPES = {
    'boxes.npz': dict(crop_boxes='N V 4', angles='N V', teacher_boxes='N G V 4', student_boxes='N V G 4'),
    'losses.npz': dict(
        **_PAIRS,
        teacher_global='GB C H H',
        student_global='GB C H H',
        student_local='LB C h h',
        crop_loss='',
        patch_correspondence_loss='',
        crop_grad_global='GB C H H',
        crop_grad_local='LB C h h',
        pc_grad_global='GB C H H',
        pc_grad_local='LB C h h',
    ),
    'tiny_model.npz': dict(
        **_PAIRS,
        num_heads='',
        patch_size='',
        student_out_global='GB O H H',
        student_out_local='LB O h h',
        teacher_out_global='GB O H H',
        student_tokens_global='GB HH D',
        student_tokens_local='LB hh D',
        crop_loss='',
        patch_correspondence_loss='',
        rotation_loss='',
    ),
    'train_steps.npz': dict(
        lr='K', weight_decay='K', momentum='K', clip='', pc_weight='', rotation_weight='', losses='K 4'
    ),
    'schedules.npz': dict(
        iters_per_epoch='',
        epochs='',
        warmup_epochs='',
        batch_size='',
        base_lr='',
        min_lr='',
        weight_decay_start='',
        weight_decay_end='',
        momentum_start='',
        lr='K',
        weight_decay='K',
        momentum='K',
    ),
}
_MINIMUM = dict(num_heads=1, patch_size=1, iters_per_epoch=1, epochs=1, batch_size=1, warmup_epochs=0)


@dataclass(frozen=True)
class Reference:
    """A reference set.

    Attributes:
        boxes: Arrays of `boxes.npz`, float64.
        losses: Arrays of `losses.npz`, float64.
        tiny_model: Arrays of `tiny_model.npz`, float64.
        train_steps: Arrays of `train_steps.npz`, float64.
        schedules: Arrays of `schedules.npz`, float64.
        weights: Weights of the official checkpoint by their official names.
    """

    boxes: Arrays
    losses: Arrays
    tiny_model: Arrays
    train_steps: Arrays
    schedules: Arrays
    weights: dict[str, Tensor]

    @classmethod
    def read(cls, folder: str | Path) -> 'Reference':
        """Reads a folder.

        Raises:
            UserError: Names the file, array or weight that is missing, unreadable or does not fit.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise UserError(f'{folder}: no such folder')
        for name in (*_SHAPES, CHECKPOINT):
            if not (folder / name).is_file():
                raise UserError(f'{folder} is not a complete reference set: {name} is missing')
        weights = _read_weights(folder / CHECKPOINT)
        arrays = {Path(name).stem: _read_arrays(folder / name, shapes) for name, shapes in _SHAPES.items()}
        return cls(**arrays, weights=weights)


def stack_views(tiny_model: Arrays) -> dict[str, Tensor]:
    """Returns the images by kind, view-major, float32, shapes (G * B, 3, S, S) and (L * B, 3, s, s)."""
    num_views, num_global = tiny_model['angles'].shape[0], tiny_model['teacher_boxes'].shape[1]
    views = [tiny_model[f'view{index}'].float() for index in range(num_views)]
    return {'global': torch.cat(views[:num_global]), 'local': torch.cat(views[num_global:])}


def scalar(arrays: Arrays, name: str) -> float:
    """Returns a stored number as a Python float, or as an int if it is whole."""
    value = float(arrays[name].item())
    return int(value) if value.is_integer() else value


def integer(arrays: Arrays, name: str) -> int:
    """Returns a stored integer as a Python int."""
    return int(arrays[name].item())


def _read_arrays(path: Path, shapes: Mapping[str, str]) -> Arrays:
    """Reads the arrays of a file as float64 and checks them against `shapes` and each other."""
    arrays = _load(path)
    sizes = _check_shapes(path, arrays, shapes, {})
    _check_numbers(path, arrays)
    if 'G' in sizes:
        (num_views, views_name), (num_global, global_name) = sizes['V'], sizes['G']
        if not max(2, num_global) <= num_views:
            raise UserError(
                f'{path}: {views_name} has {num_views} views and {global_name} {num_global} global views; there must '
                'be at least two views and no more global views than views'
            )
    if 'patch_size' in arrays:
        _check_views(path, arrays, sizes)
    if 'epochs' in arrays:
        _check_iterations(path, arrays)
    return arrays


def _load(path: Path) -> Arrays:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: _load_array(path, file, name) for name in file.files}
    except UserError:
        raise
    except Exception as error:  # reading other data with numpy can raise anything
        raise UserError(f'{path} is not an .npz archive, or is truncated or damaged') from error


def _load_array(path: Path, file: Mapping[str, np.ndarray], name: str) -> Tensor:
    try:
        values = np.asarray(file[name])
    except Exception as error:
        raise UserError(f'{path}: {name} is damaged, or contains Python objects instead of numbers') from error
    if values.dtype.kind not in 'fiu':
        raise UserError(f'{path}: {name} has dtype {values.dtype}, expected integers or floats')
    tensor = torch.from_numpy(values.astype(np.float64))
    if not tensor.isfinite().all():
        raise UserError(f'{path}: {name} contains NaN or infinite values')
    return tensor


def _check_shapes(path: Path, arrays: Arrays, shapes: Mapping[str, str], sizes: _Sizes) -> _Sizes:
    """Checks every shape and returns the sizes of the letters, with the array that defines each."""
    for name, expected in shapes.items():
        if name not in arrays:
            raise UserError(f'{path} has no array {name}')
        shape, letters = tuple(arrays[name].shape), expected.split()
        if 0 in shape:
            raise UserError(f'{path}: {name} is empty, its shape is {shape}')
        if len(shape) != len(letters):
            form = f'({expected})' if expected else 'a single number'
            raise UserError(f'{path}: {name} has shape {shape}, expected {form}')
        for letter, size in zip(letters, shape, strict=True):
            if len(letter) == 1 and letter.isalpha():
                sizes.setdefault(letter, (size, name))
        if {'V', 'G'} <= set(sizes):
            sizes['L'] = sizes['V'][0] - sizes['G'][0], sizes['V'][1]
        for product, size in zip(letters, shape, strict=True):
            if size != _expected_size(product, sizes):
                origin = _size_origin(product, sizes)
                raise UserError(f'{path}: {name} has shape {shape}, expected ({expected}){origin}')
    return sizes


def _expected_size(product: str, sizes: _Sizes) -> int:
    """Returns the number that digits stand for, or the product of the sizes of letters."""
    return int(product) if product.isdigit() else math.prod(sizes[letter][0] for letter in product)


def _size_origin(product: str, sizes: _Sizes) -> str:
    if product.isdigit():
        return ''
    letters = dict.fromkeys(product)
    return ' with ' + ' and '.join(f'{letter} = {sizes[letter][0]} as in {sizes[letter][1]}' for letter in letters)


def _check_numbers(path: Path, arrays: Arrays) -> None:
    for name, minimum in _MINIMUM.items():
        if name in arrays and not (arrays[name] >= minimum and arrays[name] == arrays[name].round()):
            raise UserError(f'{path}: {name} is {arrays[name].item()}, but must be an integer of at least {minimum}')
    if 'angles' in arrays and not (arrays['angles'] % 90 == 0).all():
        raise UserError(f'{path}: angles contains values that are not multiples of 90 degrees')


def _check_views(path: Path, arrays: Arrays, sizes: _Sizes) -> None:
    """Checks the images: one array per view, with as many patches as the stored maps have cells."""
    sides = ['S'] * sizes['G'][0] + ['s'] * sizes['L'][0]
    _check_shapes(path, arrays, {f'view{index}': f'B 3 {side} {side}' for index, side in enumerate(sides)}, sizes)
    patch_size = int(arrays['patch_size'])
    for cells, side in (('H', 'S'), ('h', 's')):
        (num_cells, maps_name), (num_pixels, view_name) = sizes[cells], sizes[side]
        if num_cells * patch_size != num_pixels:
            raise UserError(
                f'{path}: {view_name} has {num_pixels} px per side and {maps_name} {num_cells} cells, which does not '
                f'fit patch_size {patch_size}'
            )


def _check_iterations(path: Path, arrays: Arrays) -> None:
    epochs, per_epoch = int(arrays['epochs']), int(arrays['iters_per_epoch'])
    if epochs * per_epoch != len(arrays['lr']):
        raise UserError(
            f'{path}: epochs x iters_per_epoch is {epochs} x {per_epoch} = {epochs * per_epoch}, but lr, '
            f'weight_decay and momentum have {len(arrays["lr"])} values'
        )


def _read_weights(path: Path) -> dict[str, Tensor]:
    """Reads the weights of the official checkpoint, all finite tensors of floats."""
    weights = _read_plain_checkpoint(path).get('model')
    if not isinstance(weights, dict):
        raise UserError(f'{path} has no dict of weights under `model`, so it is not an official training checkpoint')
    for name, value in weights.items():
        if not isinstance(name, str):
            raise UserError(f'{path}: `model` has the key {name!r}, expected names of weights')
        if not (isinstance(value, Tensor) and value.is_floating_point()):
            kind = value.dtype if isinstance(value, Tensor) else type(value).__name__
            raise UserError(f'{path}: {name} is of type {kind}, expected a tensor of floats')
        if value.numel() == 0:
            raise UserError(f'{path}: {name} is empty, its shape is {tuple(value.shape)}')
        if not value.double().isfinite().all():
            raise UserError(f'{path}: {name} contains NaN or infinite values')
    return weights


def _read_plain_checkpoint(path: Path) -> dict[str, Any]:
    try:
        return read_checkpoint(path)
    except UserError as error:
        if '--allow-unsafe' not in str(error):  # this tool has no such option
            raise
        cause = f' ({error.__cause__})' if error.__cause__ else ''
        raise UserError(
            f'{path}: reading it would run code{cause}. A reference set must contain plain tensors only, saved by '
            'torch.save'
        ) from error
