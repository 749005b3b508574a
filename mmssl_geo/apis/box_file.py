"""Boxes of images, to take features of."""
from pathlib import Path

import numpy as np

from mmssl_geo.datasets.coco_objects import read_coco_objects
from mmssl_geo.datasets.regions_file import RegionsFile
from mmssl_geo.evaluation.boxes import relative_boxes
from mmssl_geo.utils.errors import UserError

NO_LABEL = -1


class BoxFile:
    """Objects of a COCO json, or regions of a file of `tools/make_proposals.py`, by the name of their image.

    Args:
        path: `.json` or `.safetensors`.
        names: of all images, relative to the image folder (anything that can be indexed).

    Raises:
        UserError: the file is missing, of another kind, or knows none of the images.
    """

    def __init__(self, path, names):
        kind = Path(path).suffix.lower()
        if kind not in ('.json', '.safetensors'):
            raise UserError(f'--regions {path}: has to end in .json (COCO) or .safetensors (tools/make_proposals.py)')
        self.objects = read_coco_objects(path) if kind == '.json' else None
        self.file = RegionsFile(path) if kind == '.safetensors' else None
        table = None if self.objects is not None else self.file.names()
        self.rows = {table[row]: row for row in range(len(table))} if table is not None else self.objects
        if not any(names[index] in self.rows for index in range(len(names))):
            raise UserError(f'--regions {path} knows none of the {len(names)} images: it has to name them relative to '
                            f'the image folder, such as {names[0]}')

    def boxes(self, name, size):
        """Boxes of one image of `(height, width)`; none where the file has none or was made for another shape of it.

        Returns:
            tuple: `(n, 4)` float64 in 0 to 1 of the image's sides, clipped, none without extent; `(n,)` int64
            category ids, -1 where there is none.
        """
        if name not in self.rows:
            return np.empty((0, 4)), np.empty(0, np.int64)
        if self.file is not None:
            boxes_src, source = self.file[self.rows[name]]
            labels = [None] * len(boxes_src)
        else:
            source, boxes_src, labels = self.objects[name]
        boxes = relative_boxes(boxes_src, source or size, size)
        labels = np.array([NO_LABEL if label is None else label for label in labels], np.int64)[:len(boxes)]
        extended = (boxes[:, :2] < boxes[:, 2:]).all(axis=1)
        return boxes[extended], labels[extended]
