"""Regions pasted into other images, and the features of regions."""

from typing import NamedTuple

import torch
from torch import Tensor

from mmssl_geo.evaluation.frozen_net import Extractor, OnViews, extract_maps, ignore_progress
from mmssl_geo.geometry import pool_boxes

from .images import RegionImages


class RegionPastes(NamedTuple):
    """Where M regions are pasted. Boxes are in whole cells of the feature map, shape (M, 4), int64, xyxy.

    Attributes:
        background: Index of the image that replaces the surroundings, shape (M,).
        original: Boxes of the regions in their image.
        moved: Boxes of the regions after a shift.
    """

    background: Tensor
    original: Tensor
    moved: Tensor


class RegionFeatures(NamedTuple):
    """Mean features of boxes.

    Attributes:
        clean: Of the regions in their image, shape (M, C).
        swapped: Of the regions pasted at the same position on the background, shape (M, C).
        moved: Of the regions pasted at another position on the background, shape (M, C).
        objects: Of the annotated objects, shape (K, C).
    """

    clean: Tensor
    swapped: Tensor
    moved: Tensor
    objects: Tensor


def round_to_cells(boxes: Tensor, stride: int, num_cells: int) -> Tensor:
    """Rounds boxes to whole cells: at least one cell, and at least one fewer than the map has along a side.

    With whole cells, the patches of a region contain no surroundings, and a shift does not change them (our choice).

    Args:
        boxes: Boxes in view pixels, shape (M, 4), xyxy.
        stride: View pixels per cell.
        num_cells: Cells along a side of the map, 2 or more.

    Returns:
        Boxes in cells, shape (M, 4), int64.
    """
    corner, extent = boxes[:, :2] / stride, (boxes[:, 2:] - boxes[:, :2]) / stride
    extent = extent.round().clamp(1, num_cells - 1)
    corner = torch.minimum(corner.round(), num_cells - extent)
    return torch.cat([corner, corner + extent], dim=1).long()


def sample_pastes(images: RegionImages, stride: int, seed: int = 0) -> RegionPastes:
    """Samples another image for each region, and a position, uniform among those where the region fits.

    Args:
        images: Images and their regions.
        stride: View pixels per cell; the same random numbers are used for every stride.
        seed: Seed of the sample.
    """
    generator = torch.Generator().manual_seed(seed)
    num_images, num_cells = len(images.views), images.views.shape[-1] // stride
    step = torch.randint(1, num_images, images.regions_image.shape, generator=generator)
    position = torch.rand(len(step), 2, generator=generator)
    original = round_to_cells(images.regions_view, stride, num_cells)
    extent = original[:, 2:] - original[:, :2]
    corner = (position * (num_cells - extent + 1)).long()
    background = (images.regions_image + step) % num_images
    return RegionPastes(background, original, torch.cat([corner, corner + extent], dim=1))


def paste(views: Tensor, image: Tensor | int, background: Tensor | int, source: Tensor, target: Tensor) -> Tensor:
    """Copies a region of one view into another.

    Args:
        views: Views, shape (N, 3, S, S).
        image: Index of the view of the region.
        background: Index of the view to paste into.
        source: Box of the region in whole pixels, shape (4,), xyxy.
        target: Box of the same size to paste to, shape (4,), xyxy.

    Returns:
        The new view, shape (3, S, S).
    """
    pasted = views[background].clone()
    x1, y1, x2, y2 = source.tolist()
    left, top, right, bottom = target.tolist()
    pasted[:, top:bottom, left:right] = views[image, :, y1:y2, x1:x2]
    return pasted


def num_region_views(images: RegionImages) -> int:
    """Returns the number of views that `extract_region_features` reads."""
    return len(images.views) + 2 * len(images.regions_image)


def extract_region_features(
    extractor: Extractor,
    images: RegionImages,
    pastes: RegionPastes,
    stride: int,
    batch_size: int = 32,
    on_views: OnViews = ignore_progress,
) -> RegionFeatures:
    """Computes the mean features of regions (aligned RoIAlign), from N + 2 M views.

    Args:
        extractor: Computes feature maps of normalised images.
        images: N images with M regions.
        pastes: Pastes of the regions for this stride.
        stride: View pixels per cell.
        batch_size: Views per batch.
        on_views: Called with the number of views after each batch.
    """
    clean: list[Tensor] = []
    objects: list[Tensor] = []
    for batch in torch.arange(len(images.views)).split(batch_size):
        maps = extract_maps(extractor, images.views[batch], batch_size, on_views)
        for parts, boxes_feat, image_index in (
            (clean, pastes.original, images.regions_image),
            (objects, images.objects_view / stride, images.objects_image),
        ):
            inside = (image_index >= batch[0]) & (image_index <= batch[-1])
            parts.append(_pool(maps, boxes_feat[inside], image_index[inside] - batch[0]))

    def pasted(target: Tensor) -> Tensor:
        parts = []
        for batch in torch.arange(len(target)).split(batch_size):
            views = torch.stack(
                [
                    paste(
                        images.views,
                        images.regions_image[m],
                        pastes.background[m],
                        pastes.original[m] * stride,
                        target[m] * stride,
                    )
                    for m in batch
                ]
            )
            maps = extract_maps(extractor, views, batch_size, on_views)
            parts.append(_pool(maps, target[batch], torch.arange(len(batch))))
        return torch.cat(parts)

    return RegionFeatures(torch.cat(clean), pasted(pastes.original), pasted(pastes.moved), torch.cat(objects))


def _pool(maps: Tensor, boxes_feat: Tensor, map_index: Tensor) -> Tensor:
    return pool_boxes(maps, boxes_feat, map_index, 1).flatten(1)
