"""Bounded sampling of crop rectangles that overlap as multi-crop pretraining needs them.

One crop is drawn as torchvision's `RandomResizedCrop` draws it: up to ten attempts of an area and a log-uniform
aspect ratio, else the central rectangle. A crop whose overlap with a global crop before it is too small is drawn
again (GTSA, official code, where this may go on for ever); here after `max_draws` draws the one that overlaps best
stays, or, where none overlaps with all of them, the whole image (our choice).
"""
import math
from dataclasses import dataclass

import numpy as np
import torch

_ATTEMPTS = 10
_FEW = 6


@dataclass(frozen=True)
class CropGroup:
    """How many crops of one kind, and how large.

    Args:
        num: number of crops.
        scale: smallest and largest area as a share of the image's.
        ratio: smallest and largest width / height.

    Raises:
        ValueError: if a number cannot be met by any crop.
    """
    num: int
    scale: tuple
    ratio: tuple = (3 / 4, 4 / 3)

    def __post_init__(self):
        if self.num < 0:
            raise ValueError(f'the number of crops must not be negative, got {self.num}')
        if not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise ValueError(f'crop scale must satisfy 0 < smallest <= largest <= 1, got {tuple(self.scale)}')
        if not 0 < self.ratio[0] <= self.ratio[1]:
            raise ValueError(f'crop ratio must satisfy 0 < smallest <= largest, got {tuple(self.ratio)}')


def sample_crops(image_sizes, global_group, local_group, generator, min_overlap=0.01, max_draws=40):
    """Draws the crop rectangles of a batch of images.

    Args:
        image_sizes: `(N, 2)` integer tensor of `(height, width)`.
        global_group: `CropGroup` of the G global crops.
        local_group: `CropGroup` of the L local crops.
        generator: `torch.Generator` on the CPU; all randomness comes from it.
        min_overlap: a crop must share more than this part of the image's area with every global crop before it;
            twice as much between two global crops. None: no crop depends on another (DINO).
        max_draws: draws per crop before the fallback described above.

    Returns:
        `(N, G + L, 4)` float32 boxes in source pixels (whole numbers), global crops first. Unless `min_overlap` is
        None, every crop has a common part of positive area with every global crop before it.

    Raises:
        ValueError: if there is no global crop, or `min_overlap` or `max_draws` is out of range.
    """
    if global_group.num < 1:
        raise ValueError('at least one global crop is needed')
    if min_overlap is not None:
        if not 0 <= min_overlap < 0.5:
            raise ValueError(f'min_overlap must be in [0, 0.5), got {min_overlap}')
        if max_draws < 1:
            raise ValueError(f'max_draws must be at least 1, got {max_draws}')
    return torch.from_numpy(_sample(image_sizes.numpy(), global_group, local_group, generator, min_overlap, max_draws))


def _sample(sizes, global_group, local_group, generator, min_overlap, max_draws):
    """The work of `sample_crops`, on numpy arrays: on few numbers torch takes several times as long."""
    if min_overlap is None:
        groups = (global_group, local_group)
        return np.concatenate([_crops(sizes, group, group.num, 1, generator)[:, :, 0] for group in groups], axis=1)
    need = np.floor((sizes[:, 0] * sizes[:, 1]).astype(np.float32) * np.float32(min_overlap))
    crops = _crops(sizes, global_group, 1, 1, generator)[:, :, 0]
    for _ in range(1, global_group.num):
        crop = _choose(sizes, global_group, 1, crops, 2 * need, max_draws, generator)
        crops = np.concatenate([crops, crop], axis=1)
    return np.concatenate(
        [crops, _choose(sizes, local_group, local_group.num, crops, need, max_draws, generator)], axis=1)


def _crops(sizes, group, num, draws, generator):
    """Independent random resized crops `(N, num, draws, 4)`."""
    # area, ratio and place of each attempt
    shape = (4, len(sizes), num, draws, _ATTEMPTS)
    uniform = torch.rand(shape, generator=generator, dtype=torch.float64).numpy()
    height, width = (sizes[:, axis, None, None, None].astype(np.float64) for axis in (0, 1))
    area = height * width * (group.scale[0] + (group.scale[1] - group.scale[0]) * uniform[0])
    log_low, log_high = math.log(group.ratio[0]), math.log(group.ratio[1])
    ratio = np.exp(log_low + (log_high - log_low) * uniform[1])
    crop_w, crop_h = np.rint(np.sqrt(area * ratio)), np.rint(np.sqrt(area / ratio))
    fits = (crop_w > 0) & (crop_w <= width) & (crop_h > 0) & (crop_h <= height)
    crop_w, crop_h, *place = (_pick(values, fits.argmax(axis=-1)) for values in (crop_w, crop_h, *uniform[2:]))
    height, width = height[..., 0], width[..., 0]
    x1 = np.floor(place[0] * (width - crop_w + 1))
    y1 = np.floor(place[1] * (height - crop_h + 1))
    crops = np.stack([x1, y1, x1 + crop_w, y1 + crop_h], axis=-1)
    if not fits.any(axis=-1).all():
        crops = np.where(fits.any(axis=-1)[..., None], crops, _central(height, width, group.ratio))
    return crops.astype(np.float32)


def _central(height, width, ratio):
    """Largest central rectangle whose aspect is allowed; at least one pixel on either side."""
    crop_w = np.maximum(np.minimum(width, np.rint(height * ratio[1])), 1)
    crop_h = np.maximum(np.minimum(height, np.rint(width / ratio[0])), 1)
    x1, y1 = np.floor((width - crop_w) / 2), np.floor((height - crop_h) / 2)
    return np.stack([x1, y1, x1 + crop_w, y1 + crop_h], axis=-1)


def _choose(sizes, group, num, global_crops, need, max_draws, generator):
    """First draw of each crop whose overlap with every global crop exceeds `need`, else the fallback.

    Args:
        sizes: `(N, 2)`.
        group: of the crops.
        num: how many crops.
        global_crops: `(N, G, 4)`.
        need: `(N,)` source pixels.
        max_draws, generator: as of `sample_crops`.

    Returns:
        `(N, num, 4)`.
    """
    drawn = np.empty((len(sizes), num, 0, 4), np.float32)
    for draws in (min(_FEW, max_draws), max_draws):  # as a rule a few are enough, and the others are never drawn
        drawn = np.concatenate([drawn, _crops(sizes, group, num, draws - drawn.shape[2], generator)], axis=2)
        overlap = _overlap(drawn[:, :, :, None], global_crops[:, None, None]).min(axis=-1)
        enough = overlap > need[:, None, None]
        if enough.any(axis=-1).all():
            return _take(drawn, enough.argmax(axis=-1))
    crop = _take(drawn, np.where(enough.any(axis=-1), enough.argmax(axis=-1), overlap.argmax(axis=-1)))
    whole = np.concatenate([np.zeros_like(sizes), sizes[:, ::-1]], axis=-1).astype(crop.dtype)[:, None]
    return np.where(overlap.max(axis=-1, keepdims=True) > 0, crop, whole)


def _pick(values, index):
    """Of values `(..., K)` those that `index` `(...,)` says; several times as fast as `np.take_along_axis`."""
    flat = values.reshape(-1, values.shape[-1])
    return flat[np.arange(len(flat)), index.ravel()].reshape(index.shape)


def _take(boxes, index):
    """Of boxes `(N, num, K, 4)` those that `index` `(N, num)` says."""
    return boxes[np.arange(len(index))[:, None], np.arange(index.shape[1]), index]


def _overlap(boxes_a, boxes_b):
    """Area of the common part of broadcast boxes `(..., 4)`."""
    sides = np.minimum(boxes_a[..., 2:], boxes_b[..., 2:]) - np.maximum(boxes_a[..., :2], boxes_b[..., :2])
    return np.maximum(sides, 0).prod(axis=-1)
