"""The views of images that the geometric measures compare, and their features."""

import random
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tvf

from mmssl_geo.evaluation.frozen_net import Extractor, OnViews, extract_maps, ignore_progress
from mmssl_geo.geometry import CropGroup, rotate_maps, sample_crops

VIEWS_PER_IMAGE = 7
CROPS = CropGroup(2, scale=(0.3, 1.0))  # GTSA's global crops
MIN_OVERLAP = 0.05  # half of the share of the image that the two crops have in common, at least


class GeometryViews(NamedTuple):
    """Views of N images without colour augmentation, each of shape (N, 3, S, S), uint8.

    Attributes:
        squares: Centre crops.
        first: First random crops.
        second: Second random crops.
        crop_boxes_src: Boxes of the two random crops in source pixels, shape (N, 2, 4), xyxy.
        turns: Quarter turns of the rotated second crops, 1 to 3, shape (N,).
    """

    squares: Tensor
    first: Tensor
    second: Tensor
    crop_boxes_src: Tensor
    turns: Tensor


class GeometryFeatures(NamedTuple):
    """Feature maps of the views of N images.

    Attributes:
        rotated_squares: Of the centre crops after 0 to 3 quarter turns, shape (4, N, C, h, w).
        first: Of the first crops, shape (N, C, h, w).
        second: Of the second crops, shape (N, C, h, w).
        second_rotated: Of the rotated second crops, shape (N, C, h, w).
    """

    rotated_squares: Tensor
    first: Tensor
    second: Tensor
    second_rotated: Tensor


def make_views(images: Iterable[np.ndarray], size: int, seed: int = 0) -> GeometryViews:
    """Cuts the views out of images.

    Args:
        images: Images, each of shape (H, W, 3), uint8.
        size: Side of the views in pixels.
        seed: Seed of the crops and turns, which are sampled in the order of the images.
    """
    rng = random.Random(seed)
    squares, first, second, boxes = [], [], [], []
    for pixels in images:
        image = torch.from_numpy(pixels).permute(2, 0, 1)
        height, width = image.shape[1:]
        crops = sample_crops((height, width), CROPS, CropGroup(0, (1.0, 1.0)), rng, MIN_OVERLAP)
        side = min(height, width)
        left, top = (width - side) // 2, (height - side) // 2
        squares.append(_resized_crop(image, (left, top, left + side, top + side), size))
        first.append(_resized_crop(image, crops[0], size))
        second.append(_resized_crop(image, crops[1], size))
        boxes.append(torch.tensor(crops, dtype=torch.float32))
    turns = torch.tensor([rng.randint(1, 3) for _ in boxes])
    return GeometryViews(torch.stack(squares), torch.stack(first), torch.stack(second), torch.stack(boxes), turns)


def extract_features(
    extractor: Extractor, views: GeometryViews, batch_size: int = 32, on_views: OnViews = ignore_progress
) -> GeometryFeatures:
    """Computes the feature maps of all views, seven per image.

    Args:
        extractor: Computes feature maps of normalised images.
        views: Views of N images.
        batch_size: Views per batch.
        on_views: Called with the number of views after each batch.

    Returns:
        Feature maps on the CPU.

    Raises:
        UserError: If the maps are not square, have fewer than 2 x 2 cells, or are not finite.
    """

    def maps_of(images: Tensor) -> Tensor:
        return extract_maps(extractor, images, batch_size, on_views)

    squares = torch.stack([maps_of(rotate_maps(views.squares, turns)) for turns in range(4)])
    second_rotated = maps_of(rotate_maps(views.second, views.turns))
    return GeometryFeatures(squares, maps_of(views.first), maps_of(views.second), second_rotated)


def _resized_crop(image: Tensor, box: tuple[int, int, int, int], size: int) -> Tensor:
    x1, y1, x2, y2 = box
    return tvf.resized_crop(image, y1, x1, y2 - y1, x2 - x1, [size, size], tvf.InterpolationMode.BILINEAR)
