"""The objects that a COCO json tells of its images."""
import json
import os
from typing import NamedTuple

import numpy as np

from mmssl_geo.utils.errors import UserError


class CocoObjects(NamedTuple):
    """Objects of one image.

    size: `(height, width)` of the image that they were drawn in, None if the json does not say. boxes_src: `(n, 4)`
    float64, xyxy in its pixels. labels: n `category_id`s, None where there is none.
    """
    size: tuple | None
    boxes_src: np.ndarray
    labels: list


def read_coco_objects(path, crowd=False):
    """Objects of all images of a COCO json.

    Args:
        path: the json file.
        crowd: groups (`iscrowd`) count too.

    Returns:
        dict: `file_name` -> CocoObjects.

    Raises:
        UserError: the file is missing or no COCO json.
    """
    if not os.path.isfile(path):
        raise UserError(f'the annotation file {path} does not exist: correct its path')
    try:
        with open(path, 'rb') as file:
            content = json.load(file)
        found = {image['id']: ([], []) for image in content['images']}
        for annotation in content['annotations']:
            if crowd or not annotation.get('iscrowd'):
                x, y, width, height = annotation['bbox']
                boxes, labels = found[annotation['image_id']]
                boxes.append((x, y, x + width, y + height))
                labels.append(annotation.get('category_id'))
        return {image['file_name']: _objects(image, *found[image['id']]) for image in content['images']}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f'{path} is no COCO annotation file ({type(error).__name__}: {error}): it takes "images" with '
                        '"id" and "file_name", and "annotations" with "image_id" and "bbox"') from error


def _objects(image, boxes, labels):
    size = (image['height'], image['width']) if image.get('height') and image.get('width') else None
    return CocoObjects(size, np.array(boxes, np.float64).reshape(-1, 4), labels)
