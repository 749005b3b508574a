"""Reads a reference set, arrays that the official GTSA code computed, and looks at all of it before anything is run."""
import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..convert import read_checkpoint
from ..errors import UserError

CHECKPOINT = 'official_tiny.pth'
# Name -> sizes. A letter stands for one size throughout its file, two letters for their product; the capital L is
# V - G. N samples, B images, V views (G global ones first), K steps; H and h are the sides of maps, S and s of views.
_PAIRS = dict(teacher_boxes='B G V 4', student_boxes='B V G 4', angles='V B')
_SHAPES = {
    'boxes.npz': dict(
        crop_boxes='N V 4', angles='N V', teacher_boxes='N G V 4', student_boxes='N V G 4'),
    'losses.npz': dict(
        **_PAIRS, teacher_global='GB C H H', student_global='GB C H H', student_local='LB C h h',
        crop_loss='', patch_correspondence_loss='', crop_grad_global='GB C H H', crop_grad_local='LB C h h',
        pc_grad_global='GB C H H', pc_grad_local='LB C h h'),
    'tiny_model.npz': dict(
        **_PAIRS, num_heads='', patch_size='', student_out_global='GB O H H', student_out_local='LB O h h',
        teacher_out_global='GB O H H', student_tokens_global='GB HH D', student_tokens_local='LB hh D',
        crop_loss='', patch_correspondence_loss='', rotation_loss=''),
    'train_steps.npz': dict(
        lr='K', weight_decay='K', momentum='K', clip='', pc_weight='', rotation_weight='', losses='K 4'),
    'schedules.npz': dict(
        iters_per_epoch='', epochs='', warmup_epochs='', batch_size='', base_lr='', min_lr='', weight_decay_start='',
        weight_decay_end='', momentum_start='', lr='K', weight_decay='K', momentum='K'),
}
_COUNTS = dict(num_heads=1, patch_size=1, iters_per_epoch=1, epochs=1, batch_size=1, warmup_epochs=0)


@dataclass(frozen=True)
class Reference:
    """A whole set; dicts of arrays by name (float64 tensors), the checkpoint's weights by their official names."""
    boxes: dict
    losses: dict
    tiny_model: dict
    train_steps: dict
    schedules: dict
    weights: dict

    @classmethod
    def read(cls, folder):
        """Reads a folder.

        Raises:
            UserError: names the file or the array that is missing, cannot be read, or has another shape than is due.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise UserError(f'there is no folder {folder}')
        for name in (*_SHAPES, CHECKPOINT):
            if not (folder / name).is_file():
                raise UserError(f'{folder} is no whole reference set: {name} is missing')
        weights = read_checkpoint(folder / CHECKPOINT).get('model')
        if not isinstance(weights, dict) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
            raise UserError(f'{folder / CHECKPOINT} has no `model` with weights: it is no official training checkpoint')
        return cls(**{Path(name).stem: _read_arrays(folder / name) for name in _SHAPES}, weights=weights)


def views_of(tiny_model):
    """The images by kind, view-major float32 `(G * B, 3, S, S)` and `(L * B, 3, s, s)`."""
    num_views, num_global = tiny_model['angles'].shape[0], tiny_model['teacher_boxes'].shape[1]
    views = [tiny_model[f'view{number}'].float() for number in range(num_views)]
    return {'global': torch.cat(views[:num_global]), 'local': torch.cat(views[num_global:])}


def number(arrays, name):
    """A stored number as a plain one; a whole one as an int."""
    value = arrays[name].item()
    return int(value) if value.is_integer() else value


def _read_arrays(path):
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: torch.from_numpy(np.asarray(file[name], dtype=np.float64)) for name in file.files}
    except (OSError, ValueError, TypeError, EOFError, AttributeError, NotImplementedError, zipfile.BadZipFile,
            zlib.error) as error:
        raise UserError(f'{path} cannot be read as arrays of numbers: {error}') from error
    sizes = _check_shapes(path, arrays, _SHAPES[path.name], {})
    _check_numbers(path, arrays)
    if path.name == 'tiny_model.npz':
        kinds = ['S'] * sizes['G'] + ['s'] * sizes['L']
        _check_shapes(path, arrays, {f'view{i}': f'B 3 {side} {side}' for i, side in enumerate(kinds)}, sizes)
    return arrays


def _check_shapes(path, arrays, shapes, sizes):
    """Compares every shape with what is due and returns the sizes that the letters stand for."""
    for name, due in shapes.items():
        if name not in arrays:
            raise UserError(f'{path} has no array {name}')
        shape = tuple(arrays[name].shape)
        if len(shape) == len(due.split()):
            for letter, size in zip(due.split(), shape, strict=True):
                if len(letter) == 1 and letter.isalpha():
                    sizes.setdefault(letter, size)
            if {'V', 'G'} <= set(sizes):
                sizes['L'] = sizes['V'] - sizes['G']
        if [str(size) for size in shape] != [_size(letters, sizes) for letters in due.split()]:
            raise UserError(f'{path}: {name} has the shape {shape}, which does not fit ({due}) and the other arrays')
    return sizes


def _check_numbers(path, arrays):
    for name, least in _COUNTS.items():
        if name in arrays and not (arrays[name] >= least and arrays[name] == arrays[name].round()):
            raise UserError(f'{path}: {name} is {arrays[name].item()}, it has to be a whole number from {least} on')
    if 'angles' in arrays and not (arrays['angles'] % 90 == 0).all():
        raise UserError(f'{path}: angles holds other values than multiples of 90 degrees')


def _size(letters, sizes):
    """A size as text: of digits the digits, else the product of what the letters stand for."""
    return letters if letters.isdigit() else str(math.prod(sizes.get(letter, -1) for letter in letters))
