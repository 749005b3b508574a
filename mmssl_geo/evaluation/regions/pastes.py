"""Regions pasted on other images, and the features of regions."""
from typing import NamedTuple

import torch

from mmssl_geo.evaluation.geometry.views import extract_maps
from mmssl_geo.geometry import pool_boxes


class RegionPastes(NamedTuple):
    """What is pasted where, for M regions; boxes are whole cells of a net's map, `(M, 4)` integers.

    background: `(M,)`, the image that takes the place of the surroundings. own: the regions where they are.
    moved: where they are pasted instead.
    """
    background: torch.Tensor
    own: torch.Tensor
    moved: torch.Tensor


class RegionFeatures(NamedTuple):
    """`(M, C)` each: in their image, at the same place on the background, elsewhere on it; `(K, C)` of objects."""
    clean: torch.Tensor
    swapped: torch.Tensor
    moved: torch.Tensor
    objects: torch.Tensor


def round_to_cells(boxes, stride, cells):
    """Boxes rounded to whole cells: at least one, and at least one less than the map has along a side.

    Whole cells keep the surroundings out of the region's own patches, and a shift by them leaves its patches as
    they are (our choice).

    Args:
        boxes: `(M, 4)` in view pixels.
        stride: view pixels per cell.
        cells: of the map along a side, 2 or more.

    Returns:
        `(M, 4)` int64 in cells.
    """
    corner, extent = boxes[:, :2] / stride, (boxes[:, 2:] - boxes[:, :2]) / stride
    extent = extent.round().clamp(1, cells - 1)
    corner = torch.minimum(corner.round(), cells - extent)
    return torch.cat([corner, corner + extent], dim=1).long()


def draw_pastes(images, stride, seed=0):
    """Draws another image for each region, and a place, uniform among those where it fits.

    Args:
        images: RegionImages
        stride: view pixels per cell of the net; nets of other strides get the same draws.
        seed: of the draws.

    Returns:
        RegionPastes
    """
    generator = torch.Generator().manual_seed(seed)
    num, cells = len(images.views), images.views.shape[-1] // stride
    step = torch.randint(1, num, images.regions_image.shape, generator=generator)
    share = torch.rand(len(step), 2, generator=generator)
    own = round_to_cells(images.regions_view, stride, cells)
    extent = own[:, 2:] - own[:, :2]
    corner = (share * (cells - extent + 1)).long()
    return RegionPastes((images.regions_image + step) % num, own, torch.cat([corner, corner + extent], dim=1))


def paste(views, image, background, source, target):
    """Pixels of one region on another image: `(3, S, S)`.

    Args:
        views: `(N, 3, S, S)`.
        image, background: their numbers.
        source, target: boxes of whole pixels, of one size.
    """
    pasted = views[background].clone()
    x1, y1, x2, y2 = source.tolist()
    left, top, right, bottom = target.tolist()
    pasted[:, top:bottom, left:right] = views[image, :, y1:y2, x1:x2]
    return pasted


def extract_region_features(features, images, pastes, stride, batch_size=32, on_batch=lambda num_views: None):
    """Mean of the cells of every region (RoIAlign, aligned), N + 2 M views in all.

    Args:
        features, batch_size, on_batch: as of `extract_features`.
        images: RegionImages of N images and M regions.
        pastes: their RegionPastes for this stride.
        stride: view pixels per cell.

    Returns:
        RegionFeatures
    """
    clean, objects = [], []
    for numbers in torch.arange(len(images.views)).split(batch_size):
        maps = extract_maps(features, images.views[numbers], batch_size, on_batch)
        for found, boxes_feat, owner in ((clean, pastes.own, images.regions_image),
                                         (objects, images.objects_view / stride, images.objects_image)):
            inside = (owner >= numbers[0]) & (owner <= numbers[-1])
            found.append(_pool(maps, boxes_feat[inside], owner[inside] - numbers[0]))

    def pasted(target):
        parts = []
        for numbers in torch.arange(len(target)).split(batch_size):
            views = torch.stack([
                paste(images.views, images.regions_image[n], pastes.background[n], pastes.own[n] * stride,
                      target[n] * stride) for n in numbers])
            maps = extract_maps(features, views, batch_size, on_batch)
            parts.append(_pool(maps, target[numbers], torch.arange(len(numbers))))
        return torch.cat(parts)

    return RegionFeatures(torch.cat(clean), pasted(pastes.own), pasted(pastes.moved), torch.cat(objects))


def _pool(maps, boxes_feat, map_index):
    return pool_boxes(maps, boxes_feat, map_index, 1).flatten(1)
