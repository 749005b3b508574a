"""Images as whole views, with boxes in them."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional as tvf

from mmssl_geo.datasets.coco_objects import read_coco_objects
from mmssl_geo.datasets.image_names import EXTENSIONS, PathTable, scan_folder
from mmssl_geo.datasets.image_reading import UnreadableImage, read_rgb
from mmssl_geo.datasets.regions_file import RegionsFile
from mmssl_geo.evaluation.boxes import relative_boxes
from mmssl_geo.utils.errors import UserError

NO_LABEL = -1


class WholeImage(NamedTuple):
    """An image.

    Attributes:
        name: Path relative to the image folder.
        view: The resized image, shape (3, H, W), uint8; None if the file cannot be read.
        reason: Why the file cannot be read.
        size: Height and width of the upright source.
        boxes: Boxes, shape (N, 4), see `BoxFile.boxes`.
        labels: Category ids, shape (N,).
    """

    name: str
    view: Tensor | None
    reason: str = ''
    size: tuple[int, int] = (0, 0)
    boxes: NDArray = np.empty((0, 4))
    labels: NDArray = np.empty(0, np.int64)


def list_images(source: str | Path) -> tuple[str, PathTable]:
    """Lists the images of a folder and its subfolders, or those of a list.

    Args:
        source: Folder, or a .txt file with one path per line, absolute or relative to the folder of the file.

    Returns:
        The image folder and the names of the images relative to it.

    Raises:
        UserError: If the source is missing or names no image.
    """
    source = Path(source).expanduser()
    if source.is_dir():
        root, names = source, scan_folder(str(source), EXTENSIONS)
    elif source.is_file() and source.suffix.lower() == '.txt':
        root, names = source.parent, PathTable.from_lines(source.read_bytes())
    else:
        raise UserError(f'--images {source}: there is no such folder and no such .txt list of paths')
    if not len(names):
        raise UserError(f'--images {source}: no image found (with the extensions {", ".join(EXTENSIONS)})')
    return str(root), names


class BoxFile:
    """Boxes by image: objects of a COCO json, or regions of a file of `tools/make_proposals.py`.

    Args:
        path: A `.json` or `.safetensors` file.
        names: Names of all images, relative to the image folder.

    Raises:
        UserError: If the file is missing, of another kind, or names none of the images.
    """

    def __init__(self, path: str | Path, names: Sequence[str] | PathTable) -> None:
        kind = Path(path).suffix.lower()
        if kind not in ('.json', '.safetensors'):
            raise UserError(f'--regions {path}: must end in .json (COCO) or .safetensors (tools/make_proposals.py)')
        self.objects = read_coco_objects(path) if kind == '.json' else {}
        self.file = RegionsFile(path) if kind == '.safetensors' else None
        self.rows: dict[str, int] = {}
        if self.file is not None:
            table = self.file.names()
            self.rows = {table[row]: row for row in range(len(table))}
        if not any(names[index] in self.objects or names[index] in self.rows for index in range(len(names))):
            raise UserError(
                f'--regions {path} names none of the {len(names)} images: it must name them relative to the image '
                f'folder, such as {names[0]}'
            )

    def boxes(self, name: str, size: tuple[int, int]) -> tuple[NDArray, NDArray]:
        """Returns the boxes of an image; none if the file has none or was made for another aspect ratio.

        Args:
            name: Name of the image.
            size: Height and width of the upright image.

        Returns:
            Boxes, shape (N, 4), float64, xyxy in fractions of the image's width and height, clipped to the image,
            without empty ones; and their category ids, shape (N,), int64, -1 if unknown.
        """
        if self.file is not None and name in self.rows:
            source_size: tuple[int, int] | None
            boxes_src, source_size = self.file[self.rows[name]]
            labels: NDArray = np.full(len(boxes_src), NO_LABEL)
        elif name in self.objects:
            source_size, boxes_src, ids = self.objects[name]
            labels = np.array([NO_LABEL if label is None else label for label in ids], np.int64)
        else:
            return np.empty((0, 4)), np.empty(0, np.int64)
        boxes = relative_boxes(boxes_src, source_size or size, size)
        labels = labels[: len(boxes)]
        is_extended = (boxes[:, :2] < boxes[:, 2:]).all(axis=1)
        return boxes[is_extended], labels[is_extended]


class WholeImages(Dataset):
    """Images resized as a whole to one size: without cropping, and without keeping the aspect ratio.

    Args:
        root: Image folder.
        names: Names of the images relative to the folder.
        size: Height and width of the views.
        box_file: Boxes of the images.
    """

    def __init__(self, root: str, names: PathTable, size: tuple[int, int], box_file: BoxFile | None = None) -> None:
        self.root = root
        self.names = names
        self.size = size
        self.box_file = box_file

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> WholeImage:
        name = self.names[index]
        try:
            image = read_rgb(os.path.join(self.root, name))
        except UnreadableImage as error:
            return WholeImage(name, None, error.reason)
        size = image.shape[0], image.shape[1]
        view = tvf.resize(torch.from_numpy(image).permute(2, 0, 1), list(self.size), antialias=True)
        if self.box_file is None:
            return WholeImage(name, view, '', size)
        return WholeImage(name, view, '', size, *self.box_file.boxes(name, size))
