"""Images as whole views."""
import os
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional as tvf

from mmssl_geo.datasets.image_reading import UnreadableImage, read_rgb


class WholeImage(NamedTuple):
    """One image.

    name: relative to the image folder. view: `(3, H, W)` uint8, None if the file cannot be read. reason: why not.
    size: (height, width) of the source. boxes, labels: see `BoxFile.boxes`.
    """
    name: str
    view: torch.Tensor | None
    reason: str = ''
    size: tuple = (0, 0)
    boxes: np.ndarray = np.empty((0, 4))
    labels: np.ndarray = np.empty(0, np.int64)


class WholeImages(Dataset):
    """Images stretched as a whole to one size: nothing is cut off, their shape is not kept.

    Args:
        root: the image folder.
        names: PathTable, relative to it.
        size: (height, width) of the views.
        box_file: BoxFile, or None.
    """

    def __init__(self, root, names, size, box_file=None):
        self.root = root
        self.names = names
        self.size = size
        self.box_file = box_file

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        name = self.names[index]
        try:
            image = read_rgb(os.path.join(self.root, name))
        except UnreadableImage as error:
            return WholeImage(name, None, error.reason)
        size = image.shape[:2]
        view = tvf.resize(torch.from_numpy(image).permute(2, 0, 1), list(self.size))
        return WholeImage(name, view, '', size, *(self.box_file.boxes(name, size) if self.box_file else ()))
