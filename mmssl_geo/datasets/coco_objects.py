"""Annotated objects of a COCO json."""

import json
import os
from typing import Any, NamedTuple

import numpy as np

from mmssl_geo.utils.errors import UserError


class CocoObjects(NamedTuple):
    """Objects of one image.

    Args:
        size: Height and width of the annotated image, None if the json does not state them.
        boxes_src: Boxes in its pixels, xyxy, float64, shape (n, 4).
        labels: The n `category_id`s, None where an annotation has none.
    """

    size: tuple[int, int] | None
    boxes_src: np.ndarray
    labels: list[int | None]


def read_coco_objects(path: str | os.PathLike, crowd: bool = False) -> dict[str, CocoObjects]:
    """Reads the objects of all images of a COCO json.

    Args:
        path: Path of the json file.
        crowd: Whether groups (`iscrowd`) count too.

    Returns:
        Objects by `file_name`.

    Raises:
        UserError: If the file is missing or no COCO json.
    """
    if not os.path.isfile(path):
        raise UserError(f'the annotation file {path} does not exist: correct its path')
    try:
        with open(path, 'rb') as file:
            content = json.load(file)
        objects: dict[Any, tuple[list, list]] = {image['id']: ([], []) for image in content['images']}
        for annotation in content['annotations']:
            if crowd or not annotation.get('iscrowd'):
                x, y, width, height = annotation['bbox']
                boxes, labels = objects[annotation['image_id']]
                boxes.append((x, y, x + width, y + height))
                labels.append(annotation.get('category_id'))
        return {image['file_name']: _objects(image, *objects[image['id']]) for image in content['images']}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f'{path} is not a COCO annotation file ({type(error).__name__}: {error}): it needs "images" with '
            '"id" and "file_name", and "annotations" with "image_id" and "bbox"'
        ) from error


def _objects(image: dict[str, Any], boxes: list, labels: list) -> CocoObjects:
    size = (image['height'], image['width']) if image.get('height') and image.get('width') else None
    return CocoObjects(size, np.array(boxes, np.float64).reshape(-1, 4), labels)
