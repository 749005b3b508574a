"""Bounded sampling of crop rectangles that overlap as multi-crop pretraining needs them.

One crop is drawn as torchvision's `RandomResizedCrop` draws it (whose own function takes no generator): up to ten
attempts of an area and a log-uniform aspect ratio, else the central rectangle. A crop whose overlap with a global crop
before it is too small is drawn again (GTSA, official code, where this may go on for ever); here after `max_draws`
draws the one that overlaps best stays, or, where none overlaps with all of them, the whole image (our choice).
"""
import math
from dataclasses import dataclass

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


def sample_crops(image_size, global_group, local_group, rng, min_overlap=0.01, max_draws=40):
    """Draws the crop rectangles of an image.

    Plain numbers, not arrays: a crop is some ten operations, and most are accepted at once.

    Args:
        image_size: `(height, width)` in pixels.
        global_group: `CropGroup` of the G global crops.
        local_group: `CropGroup` of the L local crops.
        rng: `random.Random`; all randomness comes from it.
        min_overlap: a crop must share more than this part of the image's area with every global crop before it;
            twice as much between two global crops. None: no crop depends on another (DINO).
        max_draws: draws per crop before the fallback described above.

    Returns:
        G + L tuples `(x1, y1, x2, y2)` of whole source pixels, global crops first. Unless `min_overlap` is None,
        every crop has a common part of positive area with every global crop before it.

    Raises:
        ValueError: if there is no global crop, or `min_overlap` or `max_draws` is out of range.
    """
    if global_group.num < 1:
        raise ValueError('at least one global crop is needed')
    if min_overlap is None:
        return [_random_resized_crop(image_size, group, rng)
                for group in (global_group, local_group) for _ in range(group.num)]
    if not 0 <= min_overlap < 0.5:
        raise ValueError(f'min_overlap must be in [0, 0.5), got {min_overlap}')
    if max_draws < 1:
        raise ValueError(f'max_draws must be at least 1, got {max_draws}')
    need = math.floor(image_size[0] * image_size[1] * min_overlap)
    global_crops = []
    for _ in range(global_group.num):
        global_crops.append(_overlapping_crop(image_size, global_group, rng, global_crops, 2 * need, max_draws))
    return global_crops + [_overlapping_crop(image_size, local_group, rng, global_crops, need, max_draws)
                           for _ in range(local_group.num)]


def _random_resized_crop(image_size, group, rng):
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


def _central_crop(height, width, ratio):
    """Largest central rectangle whose aspect is allowed; at least one pixel on either side."""
    crop_w, crop_h = max(min(width, round(height * ratio[1])), 1), max(min(height, round(width / ratio[0])), 1)
    x1, y1 = (width - crop_w) // 2, (height - crop_h) // 2
    return x1, y1, x1 + crop_w, y1 + crop_h


def _overlapping_crop(image_size, group, rng, global_crops, need, max_draws):
    """The first draw whose overlap with every global crop exceeds `need` square pixels, else the fallback."""
    best, best_overlap = (0, 0, image_size[1], image_size[0]), 0
    for _ in range(max_draws):
        crop = _random_resized_crop(image_size, group, rng)
        overlap = min((_overlap(crop, other) for other in global_crops), default=math.inf)
        if overlap > need:
            return crop
        if overlap > best_overlap:
            best, best_overlap = crop, overlap
    return best


def _overlap(box_a, box_b):
    """Area of the common part of two boxes."""
    width = min(box_a[2], box_b[2]) - max(box_a[0], box_b[0])
    height = min(box_a[3], box_b[3]) - max(box_a[1], box_b[1])
    return width * height if width > 0 and height > 0 else 0
