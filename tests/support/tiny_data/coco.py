"""COCO 2017: train2017/, val2017/, annotations/instances_{train,val}2017.json."""

import json

import numpy as np

from . import draw_photo, two_boxes

LEFT_OUT = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}  # of the ids 1 to 90, so that 80 stay


def write_coco(root, names, images_per_split=2, size=(64, 96)):
    """Every image has one object of the first category, one of the last (ids have gaps), and a crowd of the second.

    Args:
        root: folder to write into.
        names: the 80 names of COCO's categories, in their order.
        images_per_split: images in each of train2017 and val2017.
        size: (height, width) of the images.

    Returns:
        `root`.
    """
    rng = np.random.default_rng(0)
    ids = [number for number in range(1, 91) if number not in LEFT_OUT]
    categories = [dict(id=number, name=name) for number, name in zip(ids, names, strict=True)]
    boxes = two_boxes(size)
    for split in ('train2017', 'val2017'):
        images = [
            dict(id=7 + i, file_name=f'{7 + i:012}.jpg', height=size[0], width=size[1]) for i in range(images_per_split)
        ]
        annotations = []
        for image in images:
            draw_photo(root / split / image['file_name'], boxes, size, rng)
            annotations += _objects(image, boxes, (ids[0], ids[-1])) + [_crowd(image, ids[1], size)]
        for number, annotation in enumerate(annotations, start=1):
            annotation['id'] = number
        path = root / 'annotations' / f'instances_{split}.json'
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))
    return root


def _objects(image, boxes, categories):
    return [
        dict(
            image_id=image['id'],
            category_id=category,
            bbox=[x1, y1, x2 - x1, y2 - y1],
            area=(x2 - x1) * (y2 - y1),
            iscrowd=0,
            segmentation=[[x1, y1, x2, y1, x2, y2, x1, y2]],
        )
        for (x1, y1, x2, y2), category in zip(boxes, categories, strict=True)
    ]


def _crowd(image, category, size):
    """The lowest four rows, as COCO writes crowds: run lengths, column by column."""
    height, width = size
    return dict(
        image_id=image['id'],
        category_id=category,
        bbox=[0, height - 4, width, 4],
        area=4 * width,
        iscrowd=1,
        segmentation=dict(size=[height, width], counts=[height - 4, 4] * width),
    )
