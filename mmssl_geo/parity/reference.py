"""Reads a reference set, arrays that the official GTSA code computed, and looks at all of it before anything is run."""
from dataclasses import dataclass
from pathlib import Path

import torch

from mmssl_geo.utils.errors import UserError

from .arrays import read_arrays
from .weights import read_weights

CHECKPOINT = 'official_tiny.pth'
# Name -> sizes, as `read_arrays` takes them. N samples, B images, V views (G global ones first), K steps; H and h are
# the sides of maps. `tiny_model.npz` also has the images, one array a view: view0, view1, ...
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
            UserError: names the file, array or weight that is missing, cannot be read or used, or does not fit.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise UserError(f'there is no folder {folder}')
        for name in (*_SHAPES, CHECKPOINT):
            if not (folder / name).is_file():
                raise UserError(f'{folder} is no whole reference set: {name} is missing')
        weights = read_weights(folder / CHECKPOINT)
        return cls(**{Path(name).stem: read_arrays(folder / name, shapes) for name, shapes in _SHAPES.items()},
                   weights=weights)


def views_of(tiny_model):
    """The images by kind, view-major float32 `(G * B, 3, S, S)` and `(L * B, 3, s, s)`."""
    num_views, num_global = tiny_model['angles'].shape[0], tiny_model['teacher_boxes'].shape[1]
    views = [tiny_model[f'view{number}'].float() for number in range(num_views)]
    return {'global': torch.cat(views[:num_global]), 'local': torch.cat(views[num_global:])}


def number(arrays, name):
    """A stored number as a plain one; a whole one as an int."""
    value = arrays[name].item()
    return int(value) if value.is_integer() else value
