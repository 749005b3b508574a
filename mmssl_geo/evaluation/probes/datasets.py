"""Labelled images for probes, each as one square view: with a class, with objects, or with a label map."""
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional as tvf

from mmssl_geo.datasets.coco_objects import read_coco_objects
from mmssl_geo.datasets.image_list import EXTENSIONS
from mmssl_geo.datasets.image_reading import UnreadableImage, read_rgb
from mmssl_geo.datasets.path_table import PathTable, scan_folder
from mmssl_geo.evaluation.regions.images import large_enough, unit_boxes
from mmssl_geo.utils.errors import UserError

IGNORED = 255
CROPPED = 224 / 256  # of the shorter side: DINO's evaluation scales it to 256 and takes the middle 224


class ClassImages(Dataset):
    """Samples `(view, class number)`; the view is a square of 7/8 of the shorter side from the image's middle.

    Args:
        source: folder of class folders (searched recursively), or a .txt list of lines 'path class', whose paths are
            absolute or relative to the list's folder.
        size: S, the side of the views in pixels.
        classes: names in the order of their numbers; None: those found, sorted.

    Raises:
        UserError: nothing is there, an image has no class, or one that is not in `classes`.
    """

    def __init__(self, source, size, classes=None):
        source = Path(source).expanduser()
        pairs = _listed(source) if source.suffix.lower() == '.txt' else _in_class_folders(source)
        found = sorted({name for _, name in pairs})
        self.classes = classes or found
        unknown = sorted(set(found) - set(self.classes))
        if unknown:
            raise UserError(f'{source} has {len(unknown)} classes that the training images have not, such as '
                            f'{unknown[0]}')
        if len(self.classes) < 2:
            raise UserError(f'{source} has one class only, {found[0]}: there is nothing to tell apart')
        numbers = {name: number for number, name in enumerate(self.classes)}
        self.size = size
        self.items = [(path, numbers[name]) for path, name in pairs]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        path, label = self.items[index]
        image = _read(path)
        height, width = image.shape[1:]
        side = max(1, round(CROPPED * min(height, width)))
        top, left = (height - side) // 2, (width - side) // 2
        return tvf.resized_crop(
            image, top, left, side, side, [self.size] * 2, tvf.InterpolationMode.BICUBIC), label


class ObjectImages(Dataset):
    """Samples `(view, boxes (n, 4), category ids (n,))`, boxes in view pixels; the view is the image, stretched.

    Images without annotated objects are left out; so are groups (`iscrowd`), objects with a side below `min_side`, and
    those of an image of another shape than the annotations say.

    Args:
        folder: of the images.
        annotations: COCO json.
        size: S, the side of the views in pixels.
        min_side: of the objects, in pixels of the view.

    Raises:
        UserError: no COCO json, no object, objects without `category_id`, or an image that is not there.
    """

    def __init__(self, folder, annotations, size, min_side=32):
        self.folder, self.size, self.min_side = Path(folder).expanduser(), size, min_side
        self.objects = {name: own for name, own in read_coco_objects(annotations).items() if own.labels}
        self.names = list(self.objects)
        if not self.names:
            raise UserError(f'{annotations} has no annotated object')
        if any(None in own.labels for own in self.objects.values()):
            raise UserError(f'{annotations} has annotations without a "category_id", which every object needs')
        missing = [name for name in self.names if not (self.folder / name).is_file()]
        if missing:
            raise UserError(f'{len(missing)} of {len(self.names)} images of {annotations} are not in {self.folder}, '
                            f'such as {missing[0]}')

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        source_size, boxes_src, labels = self.objects[self.names[index]]
        image = _read(self.folder / self.names[index])
        size = tuple(image.shape[1:])
        boxes_view = unit_boxes(boxes_src, source_size or size, size) * self.size
        labels = np.asarray(labels[:len(boxes_view)], np.int64)
        kept = large_enough(boxes_view, self.min_side)
        return (tvf.resize(image, [self.size] * 2), torch.from_numpy(boxes_view[kept]).float(),
                torch.from_numpy(labels[kept]))


class LabelledImages(Dataset):
    """Samples `(view, label map (H, W) uint8)`; the view is the image, stretched, the map has its own resolution.

    Args:
        images, labels: folders of the same tree; labels are images of one channel that hold class numbers.
        size: S, the side of the views in pixels.
        num_classes: at most 255; the label 255 is ignored.
        reduce_zero_label: 0 is ignored too, 1 is the first class (ADE20K).
        image_suffix, label_suffix: what follows the common part of the names; `image_suffix` None: any image's ending.

    Raises:
        UserError: a folder is missing or has no image, or an image has no label map.
    """

    def __init__(self, images, labels, size, num_classes, reduce_zero_label=False, image_suffix=None,
                 label_suffix='.png'):
        self.images, self.labels = (Path(folder).expanduser() for folder in (images, labels))
        names = _scan(self.images, (image_suffix.lower(), ) if image_suffix else EXTENSIONS)
        if not self.labels.is_dir():
            raise UserError(f'there is no folder of label maps {self.labels}')
        self.pairs = [(name, (name[:-len(image_suffix)] if image_suffix else os.path.splitext(name)[0]) + label_suffix)
                      for name in names]
        missing = [pair for pair in self.pairs if not (self.labels / pair[1]).is_file()]
        if missing:
            raise UserError(f'{len(missing)} of {len(names)} images in {self.images} have no label map, such as '
                            f'{missing[0][0]}: there is no {self.labels / missing[0][1]}')
        self.size, self.num_classes, self.reduce_zero_label = size, num_classes, reduce_zero_label

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        name, label_name = self.pairs[index]
        image, labels = _read(self.images / name), self._read_labels(self.labels / label_name)
        if image.shape[1:] != labels.shape:
            raise UserError(f'{self.labels / label_name} is {tuple(labels.shape)} pixels high and wide, its image '
                            f'{tuple(image.shape[1:])}')
        return tvf.resize(image, [self.size] * 2), labels

    def _read_labels(self, path):
        try:
            with Image.open(path) as file:
                values = np.array(file).astype(np.int64)
        except (OSError, SyntaxError, ValueError) as error:  # Pillow's decoders raise all of these
            raise UserError(f'the label map {path} cannot be read ({error})') from error
        if values.ndim != 2:
            raise UserError(f'{path} is a colour picture, not a map of class numbers')
        if self.reduce_zero_label:
            values = np.where((values == 0) | (values == IGNORED), IGNORED, values - 1)
        wrong = values[((values < 0) | (values >= self.num_classes)) & (values != IGNORED)]
        if wrong.size:
            raise UserError(f'{path} holds the class number {wrong[0]}'
                            f'{" (after reduce_zero_label)" * self.reduce_zero_label}, but there are '
                            f'{self.num_classes} classes, numbered from 0, and {IGNORED} for what is ignored')
        return torch.from_numpy(values.astype(np.uint8))


def _read(path):
    """`(3, H, W)` uint8."""
    try:
        return torch.from_numpy(read_rgb(path)).permute(2, 0, 1)
    except UnreadableImage as error:
        raise UserError(f'an image cannot be read, mend it or take it out of the set: {error}') from error


def _scan(folder, extensions=EXTENSIONS):
    if not folder.is_dir():
        raise UserError(f'there is no image folder {folder}')
    table = scan_folder(folder, extensions)
    if not len(table):
        raise UserError(f'there is no image in {folder} (ending in {", ".join(extensions)})')
    return [table[index] for index in range(len(table))]


def _in_class_folders(folder):
    """List of `(path, class name)`."""
    names = _scan(folder)
    loose = [name for name in names if os.sep not in name]
    if loose:
        raise UserError(f'{folder / loose[0]} lies in no class folder: it takes {folder}/CLASS/IMAGE')
    return [(folder / name, name.split(os.sep)[0]) for name in names]


def _listed(source):
    """List of `(path, class name)`."""
    if not source.is_file():
        raise UserError(f'there is no list {source}')
    table = PathTable.from_lines(source.read_bytes())
    lines = [table[index].rsplit(None, 1) for index in range(len(table))]
    wrong = [number for number, parts in enumerate(lines) if len(parts) != 2]
    if wrong or not lines:
        raise UserError(f'{source}: ' + (f'"{lines[wrong[0]][0]}" is no path and class' if wrong else 'is empty')
                        + ': it takes one image a line, its path and its class')
    return [(source.parent / path, name) for path, name in lines]
