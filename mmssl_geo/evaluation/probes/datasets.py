"""Labelled images for probes, each as one square view: with a class, with objects, or with a label map."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional as tvf

from mmssl_geo.datasets.coco_objects import read_coco_objects
from mmssl_geo.datasets.image_names import EXTENSIONS, PathTable, scan_folder
from mmssl_geo.datasets.image_reading import UnreadableImage, read_rgb
from mmssl_geo.evaluation.boxes import large_enough, relative_boxes
from mmssl_geo.utils.errors import UserError

IGNORED = 255
CROP_SHARE = 224 / 256  # DINO's evaluation resizes the shorter side to 256 and takes the centre crop of 224

StrPath = str | os.PathLike


class ClassImages(Dataset):
    """Images with classes: samples `(view, class index)`.

    The view is a centre crop of 7/8 of the shorter side.

    Args:
        source: A folder of class folders, searched recursively, or a `.txt` file with lines 'path class', whose paths
            are absolute or relative to the folder of the file.
        size: Side of the views in pixels.
        classes: Class names in the order of their indices; None for the sorted names that are found.

    Raises:
        UserError: If there is no image, an image has no class, or a class is not in `classes`.
    """

    def __init__(self, source: StrPath, size: int, classes: Sequence[str] | None = None) -> None:
        source = Path(source).expanduser()
        pairs = _read_list(source) if source.suffix.lower() == '.txt' else _scan_class_folders(source)
        found = sorted({name for _, name in pairs})
        self.classes = list(classes or found)
        unknown = sorted(set(found) - set(self.classes))
        if unknown:
            raise UserError(
                f'{source} has {len(unknown)} classes that are not among the training images, such as {unknown[0]}'
            )
        if len(self.classes) < 2:
            raise UserError(f'{source} has only one class, {found[0]}: classification needs at least two')
        class_index = {name: index for index, name in enumerate(self.classes)}
        self.size = size
        self.items = [(path, class_index[name]) for path, name in pairs]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        path, label = self.items[index]
        image = _read(path)
        height, width = image.shape[1:]
        side = max(1, round(CROP_SHARE * min(height, width)))
        top, left = (height - side) // 2, (width - side) // 2
        return tvf.resized_crop(image, top, left, side, side, [self.size] * 2, tvf.InterpolationMode.BICUBIC), label


class ObjectImages(Dataset):
    """Images with objects: samples `(view, boxes (N, 4) in view pixels, category ids (N,))`.

    The view is the whole image, stretched to a square. Images without annotated objects are skipped; so are crowd
    annotations (`iscrowd`), objects with a side below `min_side`, and the objects of images whose aspect ratio differs
    from the annotated one.

    Args:
        folder: Image folder.
        annotations: COCO JSON file.
        size: Side of the views in pixels.
        min_side: Smallest side of the objects, in view pixels.

    Raises:
        UserError: If the file is not a COCO file, there is no object, an object has no `category_id`, or an image is
            missing.
    """

    def __init__(self, folder: StrPath, annotations: StrPath, size: int, min_side: float = 32) -> None:
        self.folder, self.size, self.min_side = Path(folder).expanduser(), size, min_side
        self.objects = {name: objects for name, objects in read_coco_objects(annotations).items() if objects.labels}
        self.names = list(self.objects)
        if not self.names:
            raise UserError(f'{annotations} has no annotated object')
        if any(None in objects.labels for objects in self.objects.values()):
            raise UserError(f'{annotations} has annotations without a "category_id", which every object needs')
        missing = [name for name in self.names if not (self.folder / name).is_file()]
        if missing:
            raise UserError(
                f'{len(missing)} of {len(self.names)} images of {annotations} are not in {self.folder}, '
                f'such as {missing[0]}'
            )

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        source_size, boxes_src, category_ids = self.objects[self.names[index]]
        image = _read(self.folder / self.names[index])
        size = tuple(image.shape[1:])
        boxes_view = relative_boxes(boxes_src, source_size or size, size) * self.size
        labels = np.asarray(category_ids[: len(boxes_view)], np.int64)
        kept = large_enough(boxes_view, self.min_side)
        return (
            tvf.resize(image, [self.size] * 2, antialias=True),
            torch.from_numpy(boxes_view[kept]).float(),
            torch.from_numpy(labels[kept]),
        )


class LabelledImages(Dataset):
    """Images with label maps: samples `(view, label map (H, W) uint8)`.

    The view is the whole image, stretched to a square; the label map has its original resolution.

    Args:
        images: Image folder.
        labels: Folder of label maps with the same subfolders; label maps are single-channel images of class indices.
        size: Side of the views in pixels.
        num_classes: Number of classes, at most 255; the label 255 is ignored.
        reduce_zero_label: Whether the label 0 is ignored too and 1 is the first class (ADE20K).
        image_suffix: End of the names of the images; None for any image extension.
        label_suffix: End of the names of the label maps, in place of the image suffix or extension.

    Raises:
        UserError: If a folder is missing or has no image, or an image has no label map.
    """

    def __init__(
        self,
        images: StrPath,
        labels: StrPath,
        size: int,
        num_classes: int,
        reduce_zero_label: bool = False,
        image_suffix: str | None = None,
        label_suffix: str = '.png',
    ) -> None:
        self.images, self.labels = (Path(folder).expanduser() for folder in (images, labels))
        names = _scan(self.images, (image_suffix.lower(),) if image_suffix else EXTENSIONS)
        if not self.labels.is_dir():
            raise UserError(f'no such folder of label maps: {self.labels}')
        self.pairs = [
            (name, (name[: -len(image_suffix)] if image_suffix else os.path.splitext(name)[0]) + label_suffix)
            for name in names
        ]
        missing = [pair for pair in self.pairs if not (self.labels / pair[1]).is_file()]
        if missing:
            raise UserError(
                f'{len(missing)} of {len(names)} images in {self.images} have no label map, such as '
                f'{missing[0][0]}: {self.labels / missing[0][1]} does not exist'
            )
        self.size, self.num_classes, self.reduce_zero_label = size, num_classes, reduce_zero_label

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        name, label_name = self.pairs[index]
        image, labels = _read(self.images / name), self._read_labels(self.labels / label_name)
        if image.shape[1:] != labels.shape:
            raise UserError(
                f'{self.labels / label_name} has height and width {tuple(labels.shape)}, but its image has '
                f'{tuple(image.shape[1:])}'
            )
        return tvf.resize(image, [self.size] * 2, antialias=True), labels

    def _read_labels(self, path: Path) -> Tensor:
        try:
            with Image.open(path) as file:
                values = np.array(file).astype(np.int64)
        except (OSError, SyntaxError, ValueError) as error:  # Pillow's decoders raise all of these
            raise UserError(f'the label map {path} cannot be read ({error})') from error
        if values.ndim != 2:
            raise UserError(f'{path} is a colour image, not a map of class indices')
        if self.reduce_zero_label:
            values = np.where((values == 0) | (values == IGNORED), IGNORED, values - 1)
        wrong = values[((values < 0) | (values >= self.num_classes)) & (values != IGNORED)]
        if wrong.size:
            raise UserError(
                f'{path} contains the class index {wrong[0]}'
                f'{" (after reduce_zero_label)" * self.reduce_zero_label}, but there are '
                f'{self.num_classes} classes, numbered from 0, and the ignored label {IGNORED}'
            )
        return torch.from_numpy(values.astype(np.uint8))


def _read(path: Path) -> Tensor:
    """Reads an image, shape (3, H, W), uint8."""
    try:
        return torch.from_numpy(read_rgb(str(path))).permute(2, 0, 1)
    except UnreadableImage as error:
        raise UserError(f'an image cannot be read, repair it or remove it from the data set: {error}') from error


def _scan(folder: Path, extensions: Sequence[str] = EXTENSIONS) -> list[str]:
    if not folder.is_dir():
        raise UserError(f'no such image folder: {folder}')
    table = scan_folder(str(folder), tuple(extensions))
    if not len(table):
        raise UserError(f'no image in {folder} (extensions {", ".join(extensions)})')
    return [table[index] for index in range(len(table))]


def _scan_class_folders(folder: Path) -> list[tuple[Path, str]]:
    """Returns paths and class names."""
    names = _scan(folder)
    loose = [name for name in names if os.sep not in name]
    if loose:
        raise UserError(f'{folder / loose[0]} is not in a class folder: expected {folder}/CLASS/IMAGE')
    return [(folder / name, name.split(os.sep)[0]) for name in names]


def _read_list(source: Path) -> list[tuple[Path, str]]:
    """Returns paths and class names."""
    if not source.is_file():
        raise UserError(f'no such list: {source}')
    table = PathTable.from_lines(source.read_bytes())
    lines = [table[index].rsplit(None, 1) for index in range(len(table))]
    wrong = [parts[0] for parts in lines if len(parts) != 2]
    if wrong or not lines:
        raise UserError(
            f'{source} '
            + (f'has the line "{wrong[0]}"' if wrong else 'is empty')
            + ': expected one image per line, its path and its class'
        )
    return [(source.parent / path, name) for path, name in lines]
