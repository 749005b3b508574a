"""Sampling of crops that overlap as multi-crop pretraining needs them, in a bounded number of attempts.

A crop is sampled as in torchvision's `RandomResizedCrop` (which takes no generator): up to ten attempts at an area and
a log-uniform aspect ratio, then the central crop. A crop that overlaps too little with an earlier global crop is
sampled again. GTSA's official code repeats this without a limit; here, after `max_draws` attempts, the crop with the
largest overlap is taken or, if none overlaps with all of them, the whole image (our choice).
"""

import math
import random
from dataclasses import dataclass

_ATTEMPTS = 10

Crop = tuple[int, int, int, int]


@dataclass(frozen=True)
class CropGroup:
    """Number and shape of the global or of the local crops.

    Args:
        num: Number of crops.
        scale: Smallest and largest area as a share of the image's.
        ratio: Smallest and largest width / height.

    Raises:
        ValueError: If no crop can satisfy a setting.
    """

    num: int
    scale: tuple[float, float]
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __post_init__(self) -> None:
        if self.num < 0:
            raise ValueError(f'the number of crops must not be negative, got {self.num}')
        for name, values in (('scale', self.scale), ('ratio', self.ratio)):
            if not isinstance(values, list | tuple) or len(values) != 2:
                raise ValueError(f'crop {name} must be two numbers, got {values!r}')
        if not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise ValueError(f'crop scale must satisfy 0 < smallest <= largest <= 1, got {tuple(self.scale)}')
        if not 0 < self.ratio[0] <= self.ratio[1]:
            raise ValueError(f'crop ratio must satisfy 0 < smallest <= largest, got {tuple(self.ratio)}')


def sample_crops(
    image_size: tuple[int, int],
    global_group: CropGroup,
    local_group: CropGroup,
    rng: random.Random,
    min_overlap: float | None = 0.01,
    max_draws: int = 40,
) -> list[Crop]:
    """Samples the crops of an image.

    It computes with plain numbers, which is faster than arrays: a crop is some ten operations, and most are accepted
    at once.

    Args:
        image_size: Height and width in pixels.
        global_group: The G global crops.
        local_group: The L local crops.
        rng: Source of all randomness.
        min_overlap: Share of the image's area that a crop must have in common with every earlier global crop; twice as
            much between two global crops. None samples all crops independently (DINO).
        max_draws: Attempts per crop before the fallback described above.

    Returns:
        G + L crops in whole source pixels, global crops first. Unless `min_overlap` is None, every crop has a common
        part of positive area with every earlier global crop.

    Raises:
        ValueError: If there is no global crop, or `min_overlap` or `max_draws` is out of range.
    """
    if global_group.num < 1:
        raise ValueError('at least one global crop is needed')
    if min_overlap is None:
        return [
            _random_resized_crop(image_size, group, rng)
            for group in (global_group, local_group)
            for _ in range(group.num)
        ]
    if not 0 <= min_overlap < 0.5:
        raise ValueError(f'min_overlap must be in [0, 0.5), got {min_overlap}')
    if max_draws < 1:
        raise ValueError(f'max_draws must be at least 1, got {max_draws}')
    min_area = math.floor(image_size[0] * image_size[1] * min_overlap)
    global_crops: list[Crop] = []
    for _ in range(global_group.num):
        global_crops.append(_overlapping_crop(image_size, global_group, rng, global_crops, 2 * min_area, max_draws))
    return global_crops + [
        _overlapping_crop(image_size, local_group, rng, global_crops, min_area, max_draws)
        for _ in range(local_group.num)
    ]


def _random_resized_crop(image_size: tuple[int, int], group: CropGroup, rng: random.Random) -> Crop:
    height, width = image_size
    log_low, log_high = math.log(group.ratio[0]), math.log(group.ratio[1])
    for _ in range(_ATTEMPTS):
        area = height * width * rng.uniform(*group.scale)
        ratio = math.exp(rng.uniform(log_low, log_high))
        crop_w, crop_h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < crop_w <= width and 0 < crop_h <= height:
            x1, y1 = int(rng.random() * (width - crop_w + 1)), int(rng.random() * (height - crop_h + 1))
            return x1, y1, x1 + crop_w, y1 + crop_h
    return _central_crop(height, width, group.ratio)


def _central_crop(height: int, width: int, ratio: tuple[float, float]) -> Crop:
    """Returns the largest central crop with an allowed aspect ratio, at least one pixel on either side."""
    crop_w, crop_h = max(min(width, round(height * ratio[1])), 1), max(min(height, round(width / ratio[0])), 1)
    x1, y1 = (width - crop_w) // 2, (height - crop_h) // 2
    return x1, y1, x1 + crop_w, y1 + crop_h


def _overlapping_crop(
    image_size: tuple[int, int],
    group: CropGroup,
    rng: random.Random,
    global_crops: list[Crop],
    min_area: int,
    max_draws: int,
) -> Crop:
    """Returns the first crop whose overlap with every global crop exceeds `min_area` square pixels, or the fallback."""
    best, best_overlap = (0, 0, image_size[1], image_size[0]), 0.0
    for _ in range(max_draws):
        crop = _random_resized_crop(image_size, group, rng)
        overlap = min((_overlap(crop, other) for other in global_crops), default=math.inf)
        if overlap > min_area:
            return crop
        if overlap > best_overlap:
            best, best_overlap = crop, overlap
    return best


def _overlap(box_a: Crop, box_b: Crop) -> int:
    width = min(box_a[2], box_b[2]) - max(box_a[0], box_b[0])
    height = min(box_a[3], box_b[3]) - max(box_a[1], box_b[1])
    return width * height if width > 0 and height > 0 else 0
