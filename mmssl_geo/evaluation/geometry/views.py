"""The views of images that the geometric measures compare, and their features."""
import random
from typing import NamedTuple

import torch
from torchvision.transforms.v2 import functional as tvf

from mmssl_geo.geometry import CropGroup, rotate_maps, sample_crops
from mmssl_geo.utils.errors import UserError

# ImageNet's, of 0 to 255
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
CROPS = CropGroup(2, scale=(0.3, 1.))  # GTSA's global crops
MIN_OVERLAP = 0.05  # the two share more than twice this part of the image


class GeometryViews(NamedTuple):
    """Views of N images, `(N, 3, S, S)` uint8 each, without photometrics.

    squares: the central squares. first, second: two random crops, whose rectangles in the source images are
    `crop_boxes_src` `(N, 2, 4)`. turns: `(N,)`, 1 to 3, by which the second one is turned where turns are asked for.
    """
    squares: torch.Tensor
    first: torch.Tensor
    second: torch.Tensor
    crop_boxes_src: torch.Tensor
    turns: torch.Tensor


class GeometryFeatures(NamedTuple):
    """Maps of the views of N images: `(4, N, C, h, w)` of the squares in their four turns, else `(N, C, h, w)`."""
    turned_squares: torch.Tensor
    first: torch.Tensor
    second: torch.Tensor
    second_turned: torch.Tensor


def make_views(images, size, seed=0):
    """Cuts the views out of images.

    Args:
        images: iterable of `(H, W, 3)` uint8 arrays.
        size: S, the side of the views in pixels.
        seed: of the crops and turns, which are drawn in the images' order.

    Returns:
        GeometryViews
    """
    rng = random.Random(seed)
    squares, first, second, boxes = [], [], [], []
    for image in images:
        image = torch.from_numpy(image).permute(2, 0, 1)
        height, width = image.shape[1:]
        crops = sample_crops((height, width), CROPS, CropGroup(0, (1., 1.)), rng, MIN_OVERLAP)
        side = min(height, width)
        left, top = (width - side) // 2, (height - side) // 2
        squares.append(_cut(image, (left, top, left + side, top + side), size))
        first.append(_cut(image, crops[0], size))
        second.append(_cut(image, crops[1], size))
        boxes.append(torch.tensor(crops, dtype=torch.float32))
    turns = torch.tensor([rng.randint(1, 3) for _ in boxes])
    return GeometryViews(torch.stack(squares), torch.stack(first), torch.stack(second), torch.stack(boxes), turns)


def extract_features(features, views, batch_size=32, on_batch=lambda num_views: None):
    """Maps of all views, seven an image, on the CPU.

    Args:
        features: function from `(B, 3, S, S)` images, normalised by ImageNet's mean and deviation, to `(B, C, h, w)`.
        views: GeometryViews
        batch_size: views at a time.
        on_batch: called with the number of views after each batch.

    Returns:
        GeometryFeatures

    Raises:
        UserError: the maps are not square, have less than 2 x 2 cells, or are not finite.
    """
    def maps_of(stack):
        return extract_maps(features, stack, batch_size, on_batch)

    squares = torch.stack([maps_of(rotate_maps(views.squares, turn)) for turn in range(4)])
    second_turned = maps_of(rotate_maps(views.second, views.turns))
    return GeometryFeatures(squares, maps_of(views.first), maps_of(views.second), second_turned)


def extract_maps(features, images, batch_size=32, on_batch=lambda num_views: None):
    """Maps `(B, C, h, w)` of images `(B, 3, S, S)` uint8, on the CPU; other arguments as of `extract_features`.

    Raises:
        UserError: the maps are not square, have less than 2 x 2 cells, or are not finite.
    """
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    parts = []
    for batch in images.split(batch_size):
        parts.append(features((batch.float() - mean) / std).cpu())
        _check(parts[-1])
        on_batch(len(batch))
    return torch.cat(parts)


def _cut(image, box, size):
    x1, y1, x2, y2 = box
    return tvf.resized_crop(image, y1, x1, y2 - y1, x2 - x1, [size, size], tvf.InterpolationMode.BILINEAR)


def _check(maps):
    height, width = maps.shape[-2:]
    if height != width or height < 2:
        raise UserError(f'the views give maps of {height} x {width} cells; square ones of at least 2 x 2 are needed: '
                        'raise --size')
    if not torch.isfinite(maps).all():
        raise UserError('the features hold NaN or infinite values: the training broke down; take an earlier checkpoint')
