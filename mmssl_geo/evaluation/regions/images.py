"""The views, regions and objects that the region measures are computed on."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tvf

from mmssl_geo.datasets.image_reading import UnreadableImage
from mmssl_geo.evaluation.boxes import large_enough
from mmssl_geo.evaluation.images import MIN_IMAGES, read_in_random_order
from mmssl_geo.geometry import grid_boxes
from mmssl_geo.utils.errors import UserError

from .source import RegionSource

MAX_SIDE = 0.75  # of the view, which leaves surroundings and room to move (our choice)


class RegionImages(NamedTuple):
    """N images, each stretched as a whole to one square view, so that no object is cropped.

    Attributes:
        views: Shape (N, 3, S, S), uint8.
        regions_view: Boxes of M regions in view pixels, shape (M, 4), xyxy.
        regions_image: Index of the image of each region, shape (M,).
        objects_view: Boxes of K objects in view pixels, shape (K, 4), xyxy.
        objects_image: Index of the image of each object, shape (K,).
        labels: Category id of each object, shape (K,).
    """

    views: Tensor
    regions_view: Tensor
    regions_image: Tensor
    objects_view: Tensor
    objects_image: Tensor
    labels: Tensor


class _Sample(NamedTuple):
    """View and boxes, in view pixels, of one image."""

    view: Tensor
    regions: np.ndarray
    objects: np.ndarray
    labels: np.ndarray


def collect_region_images(
    paths: Sequence[Path],
    names: Sequence[str],
    source: RegionSource,
    size: int,
    num_images: int,
    num_regions: int = 3,
    min_side: float = 32,
    seed: int = 0,
) -> tuple[RegionImages, dict[str, int], list[UnreadableImage]]:
    """Reads a random sample of images and selects regions in each; images without usable regions get grid boxes.

    Args:
        paths: Paths of the images.
        names: Names of the images in `source`.
        source: Regions and objects.
        size: Side of the views in pixels.
        num_images: Largest number of images.
        num_regions: Largest number of regions per image.
        min_side: Smallest side of regions and objects, in view pixels.
        seed: Seed of the sample and of the regions.

    Returns:
        The images, counts for the log, and the errors of unreadable images.

    Raises:
        UserError: If fewer than 8 images can be used.
    """
    rng = np.random.default_rng([seed, 1])
    samples: list[_Sample] = []
    unreadable: list[UnreadableImage] = []
    num_fallbacks = num_unusable = 0

    def usable(regions: np.ndarray) -> np.ndarray:
        return regions[large_enough(regions, min_side, MAX_SIDE * size)]

    for index, image in read_in_random_order(paths, seed, unreadable):
        if len(samples) == num_images:
            break
        image_size = image.shape[0], image.shape[1]
        regions = usable(source.regions_of(names[index], image_size) * size)
        is_fallback = not len(regions)
        if is_fallback:
            regions = usable(grid_boxes(rng, (size, size)))
            if not len(regions):
                num_unusable += 1
                continue
        num_fallbacks += is_fallback
        chosen = regions[np.sort(rng.permutation(len(regions))[:num_regions])]
        objects, labels = source.objects_of(names[index], image_size)
        kept = large_enough(objects * size, min_side)
        view = tvf.resize(torch.from_numpy(image).permute(2, 0, 1), [size, size], antialias=True)
        samples.append(_Sample(view, chosen, objects[kept] * size, np.asarray(labels, np.int64)[kept]))
    if len(samples) < MIN_IMAGES:
        raise UserError(
            f'only {len(samples)} of {len(paths)} images can be used ({len(unreadable)} cannot be read, '
            f'{num_unusable} have no region of {min_side} view pixels), at least {MIN_IMAGES} are needed'
        )
    counts = dict(
        num_images=len(samples),
        num_grid_fallbacks=num_fallbacks,
        num_without_region=num_unusable,
        num_unreadable=len(unreadable),
    )
    return _stack(samples), counts, unreadable


def _stack(samples: Sequence[_Sample]) -> RegionImages:
    views, regions, objects, labels = zip(*samples, strict=True)

    def concatenate(boxes: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
        counts = torch.tensor([len(image_boxes) for image_boxes in boxes])
        return torch.from_numpy(np.concatenate(boxes)).float(), torch.arange(len(boxes)).repeat_interleave(counts)

    return RegionImages(
        torch.stack(views), *concatenate(regions), *concatenate(objects), torch.from_numpy(np.concatenate(labels))
    )
