"""Regions and annotated objects of images, from files."""

import os
from collections.abc import Sequence

import numpy as np

from mmssl_geo.datasets.coco_objects import CocoObjects, read_coco_objects
from mmssl_geo.datasets.regions_file import RegionsFile
from mmssl_geo.evaluation.boxes import NO_BOXES, relative_boxes
from mmssl_geo.utils.errors import UserError


class RegionSource:
    """Regions of a proposals file, or annotated objects if there is none, and annotated objects.

    Args:
        names: Names of all images, relative to the image folder.
        proposals: A file of `tools/make_proposals.py`, optional.
        annotations: A COCO JSON file, optional.

    Raises:
        UserError: If a file is missing, has another format, lacks labels, or contains none of the images.
    """

    def __init__(
        self,
        names: Sequence[str],
        proposals: str | os.PathLike | None = None,
        annotations: str | os.PathLike | None = None,
    ) -> None:
        self.file = RegionsFile(proposals) if proposals else None
        self.rows = {name: row for row, name in enumerate(self.file.names())} if self.file is not None else {}
        self.objects: dict[str, CocoObjects] = read_coco_objects(annotations) if annotations else {}
        for path, known in ((proposals, self.rows), (annotations, self.objects)):
            if path and not any(name in known for name in names):
                raise UserError(
                    f'{path} contains none of the {len(names)} images: its names must be relative to the '
                    f'image folder, such as {names[0]}'
                )
        if any(None in objects.labels for objects in self.objects.values()):
            raise UserError(
                f'{annotations} has annotations without a "category_id": object k-NN needs one for each object'
            )

    def objects_of(self, name: str, size: tuple[int, int]) -> tuple[np.ndarray, list[int | None]]:
        """Returns the annotated objects of an image.

        Args:
            name: Name of the image.
            size: Height and width of the image.

        Returns:
            Boxes relative to the sides of the image, shape (N, 4), xyxy, and N category ids.
        """
        if name not in self.objects:
            return NO_BOXES, []
        source_size, boxes_src, labels = self.objects[name]
        boxes = relative_boxes(boxes_src, source_size or size, size)
        return boxes, labels if len(boxes) else []

    def regions_of(self, name: str, size: tuple[int, int]) -> np.ndarray:
        """Returns the regions of an image, shape (N, 4), like the boxes of `objects_of`."""
        if self.file is None:
            return self.objects_of(name, size)[0]
        if name not in self.rows:
            return NO_BOXES
        boxes_src, source_size = self.file[self.rows[name]]
        return relative_boxes(boxes_src, source_size, size)
