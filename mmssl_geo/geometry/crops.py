"""Bounded sampling of crop rectangles that overlap as multi-crop pretraining needs them.

One crop is drawn as torchvision's `RandomResizedCrop` draws it: up to ten attempts of an area and a log-uniform
aspect ratio, else the central rectangle. A crop whose overlap with a global crop before it is too small is drawn
again (GTSA, official code, where this may go on for ever); here after `max_draws` draws the one that overlaps best
stays, or, where none overlaps with all of them, the whole image (our choice).
"""
import math
from dataclasses import dataclass

import torch

from .boxes import intersect_boxes

_ATTEMPTS = 10


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
    if min_overlap is None:
        groups = (global_group, local_group)
        return torch.cat([_draw(image_sizes, group, 1, generator)[:, :, 0] for group in groups], dim=1)
    if not 0 <= min_overlap < 0.5:
        raise ValueError(f'min_overlap must be in [0, 0.5), got {min_overlap}')
    if max_draws < 1:
        raise ValueError(f'max_draws must be at least 1, got {max_draws}')
    need = (image_sizes[:, 0] * image_sizes[:, 1]).float().mul(min_overlap).floor()
    drawn = _draw(image_sizes, global_group, max_draws, generator)
    crops = drawn[:, :1, 0]
    for view in range(1, global_group.num):
        crop = _choose(drawn[:, view:view + 1], crops, 2 * need, image_sizes)
        crops = torch.cat([crops, crop], dim=1)
    drawn = _draw(image_sizes, local_group, max_draws, generator)
    return torch.cat([crops, _choose(drawn, crops, need, image_sizes)], dim=1)


def _draw(image_sizes, group, max_draws, generator):
    """`(N, num, max_draws, 4)` independent random resized crops."""
    height, width = (image_sizes.double()[:, axis, None, None, None] for axis in (0, 1))
    shape = (len(image_sizes), group.num, max_draws)
    uniform = torch.rand(4, *shape, _ATTEMPTS, generator=generator, dtype=torch.float64)
    area = height * width * (group.scale[0] + (group.scale[1] - group.scale[0]) * uniform[0])
    log_low, log_high = math.log(group.ratio[0]), math.log(group.ratio[1])
    ratio = torch.exp(log_low + (log_high - log_low) * uniform[1])
    crop_w, crop_h = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
    fits = (crop_w > 0) & (crop_w <= width) & (crop_h > 0) & (crop_h <= height)
    x1 = (uniform[2] * (width - crop_w + 1)).floor()
    y1 = (uniform[3] * (height - crop_h + 1)).floor()
    crops = torch.stack([x1, y1, x1 + crop_w, y1 + crop_h], dim=-1)
    first = fits.int().argmax(dim=-1)[..., None, None].expand(*shape, 1, 4)
    chosen = crops.gather(3, first).squeeze(3)
    central = _central(height[..., 0], width[..., 0], group.ratio).expand(*shape, 4)
    return torch.where(fits.any(dim=-1, keepdim=True), chosen, central).float()


def _central(height, width, ratio):
    """Largest central rectangle whose aspect is allowed; at least one pixel on either side."""
    crop_w = torch.minimum(width, (height * ratio[1]).round()).clamp(min=1)
    crop_h = torch.minimum(height, (width / ratio[0]).round()).clamp(min=1)
    x1, y1 = ((width - crop_w) / 2).floor(), ((height - crop_h) / 2).floor()
    return torch.stack([x1, y1, x1 + crop_w, y1 + crop_h], dim=-1)


def _choose(drawn, global_crops, need, image_sizes):
    """First draw of each crop whose overlap with every global crop exceeds `need`, else the fallback.

    Args:
        drawn: `(N, num, max_draws, 4)`.
        global_crops: `(N, G, 4)`.
        need: `(N,)` source pixels.
        image_sizes: `(N, 2)`.

    Returns:
        `(N, num, 4)`.
    """
    common = intersect_boxes(drawn[:, :, :, None], global_crops[:, None, None])
    overlap = ((common[..., 2] - common[..., 0]) * (common[..., 3] - common[..., 1])).amin(dim=-1)
    enough = overlap > need[:, None, None]
    pick = torch.where(enough.any(dim=-1), enough.int().argmax(dim=-1), overlap.argmax(dim=-1))
    crop = drawn.gather(2, pick[..., None, None].expand(-1, -1, 1, 4)).squeeze(2)
    whole = torch.cat([torch.zeros_like(image_sizes), image_sizes.flip(-1)], dim=-1).to(crop)[:, None]
    return torch.where(overlap.gather(2, pick[..., None]) > 0, crop, whole)
