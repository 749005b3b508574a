"""The views, regions and objects that the region measures are taken on."""
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torchvision.transforms.v2 import functional as tvf

from mmssl_geo.datasets.coco_objects import read_coco_objects
from mmssl_geo.datasets.regions_file import RegionsFile
from mmssl_geo.evaluation.geometry.images import MIN_IMAGES, read_in_random_order
from mmssl_geo.geometry import grid_boxes
from mmssl_geo.utils.errors import UserError

MAX_SIDE = 0.75  # of the view: room for surroundings, and to shift (our choice)
NO_BOXES = np.empty((0, 4))


class RegionImages(NamedTuple):
    """N images, each stretched to one view as a whole, so that no object is cut off.

    views: `(N, 3, S, S)` uint8. regions_view: `(M, 4)` boxes in view pixels, of the images `regions_image` `(M,)`.
    objects_view: `(K, 4)` likewise, of `objects_image` `(K,)`, with the category ids `labels` `(K,)`.
    """
    views: torch.Tensor
    regions_view: torch.Tensor
    regions_image: torch.Tensor
    objects_view: torch.Tensor
    objects_image: torch.Tensor
    labels: torch.Tensor


class BoxSource:
    """Regions of the proposals file; without one the annotated objects; without these grid boxes.

    Args:
        names: of all images, relative to the image folder.
        proposals, annotations: files, or None.

    Raises:
        UserError: a file is missing, of another kind, without labels, or knows none of the images.
    """

    def __init__(self, names, proposals=None, annotations=None):
        self.file = RegionsFile(proposals) if proposals else None
        self.rows = {name: row for row, name in enumerate(self.file.names())} if proposals else {}
        self.objects = read_coco_objects(annotations) if annotations else {}
        for path, known in ((proposals, self.rows), (annotations, self.objects)):
            if path and not any(name in known for name in names):
                raise UserError(f'{path} knows none of the {len(names)} images: it has to name them relative to the '
                                f'image folder, such as {names[0]}')
        if any(None in objects.labels for objects in self.objects.values()):
            raise UserError(f'{annotations} has annotations without a "category_id": O-KNN needs one for each object')

    def objects_of(self, name, size):
        """Boxes `(n, 4)` in 0 to 1 of the image's sides, and labels, of an image of `(height, width)`."""
        if name not in self.objects:
            return NO_BOXES, []
        source, boxes_src, labels = self.objects[name]
        boxes = unit_boxes(boxes_src, source or size, size)
        return boxes, labels if len(boxes) else []

    def regions_of(self, name, size):
        """Boxes `(n, 4)` in 0 to 1 of the image's sides; none if there are none for it."""
        if self.file is None:
            return self.objects_of(name, size)[0]
        if name not in self.rows:
            return NO_BOXES
        boxes_src, source = self.file[self.rows[name]]
        return unit_boxes(boxes_src, source, size)


def unit_boxes(boxes_src, source_size, size):
    """Boxes in 0 to 1 of the sides of their image, clipped; none if the image at hand has another shape."""
    if not min(source_size) or abs(size[0] / source_size[0] - size[1] / source_size[1]) > 1 / min(source_size):
        return NO_BOXES
    return (np.asarray(boxes_src, np.float64) / np.tile(source_size[::-1], 2)).clip(0, 1)


def large_enough(boxes, min_side, max_side=np.inf):
    """`(n,)` bool: no side is shorter than `min_side` or longer than `max_side`."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return ((sides >= min_side) & (sides <= max_side)).all(axis=1)


def collect_region_images(paths, names, source, size, num_images, num_regions=3, min_side=32, seed=0):
    """Reads images chosen at random and chooses regions in each; grid boxes where the source has no usable one.

    Args:
        paths, names: of the images.
        source: BoxSource
        size: S, the side of the views in pixels.
        num_images, num_regions: at most, of images and of regions in each.
        min_side: of regions and objects, in view pixels.
        seed: of the choice of images and regions.

    Returns:
        tuple: RegionImages; dict of counts; list of `UnreadableImage`.

    Raises:
        UserError: fewer than 8 images can be used.
    """
    rng = np.random.default_rng([seed, 1])
    parts, unreadable = [], []
    fallbacks = unusable = 0
    for index, image in read_in_random_order(paths, seed, unreadable):
        if len(parts) == num_images:
            break
        regions = source.regions_of(names[index], image.shape[:2]) * size
        regions = regions[large_enough(regions, min_side, MAX_SIDE * size)]
        fallback = not len(regions)
        if fallback:
            regions = grid_boxes(rng, (size, size))
            regions = regions[large_enough(regions, min_side, MAX_SIDE * size)]
            if not len(regions):
                unusable += 1
                continue
        fallbacks += fallback
        chosen = regions[np.sort(rng.permutation(len(regions))[:num_regions])]
        objects, labels = source.objects_of(names[index], image.shape[:2])
        kept = large_enough(objects * size, min_side)
        view = tvf.resize(torch.from_numpy(image).permute(2, 0, 1), [size, size])
        parts.append((view, chosen, objects[kept] * size, np.asarray(labels, np.int64)[kept]))
    if len(parts) < MIN_IMAGES:
        raise UserError(f'only {len(parts)} of {len(paths)} images can be used ({len(unreadable)} cannot be read, '
                        f'{unusable} have no region of {min_side} view pixels), at least {MIN_IMAGES} are needed')
    counts = dict(num_images=len(parts), num_grid_fallbacks=fallbacks, num_without_region=unusable,
                  num_unreadable=len(unreadable))
    return _stack(parts), counts, unreadable


def names_of(paths, images):
    """Names of images relative to their folder, or to that of their list `images`."""
    source = Path(images).expanduser()
    folder = source if source.is_dir() else source.parent
    return [os.path.relpath(path, folder) for path in paths]


def _stack(parts):
    views, regions, objects, labels = zip(*parts, strict=True)

    def boxes_and_images(boxes):
        image = torch.arange(len(boxes)).repeat_interleave(torch.tensor([len(own) for own in boxes]))
        return torch.from_numpy(np.concatenate(boxes)).float(), image

    return RegionImages(torch.stack(views), *boxes_and_images(regions), *boxes_and_images(objects),
                        torch.from_numpy(np.concatenate(labels)))
