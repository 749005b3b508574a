"""Cityscapes: {leftImg8bit,gtFine}/{train,val}/<city>/*, label maps by id and by train id."""

import numpy as np

from . import draw_photo, two_boxes, write_labels

CITIES = dict(train=('aachen', 'zurich'), val=('lindau',))
ROAD, BICYCLE, VEHICLE = 0, 18, 255  # train ids: the first, the last, and what is not evaluated
IDS = {ROAD: 7, BICYCLE: 33, VEHICLE: 1}


def write_cityscapes(root, images_per_city=2, size=(64, 128)):
    """Every image is road with a bicycle in the left half and the own vehicle, which is ignored, in the right one.

    Args:
        root: folder to write into.
        images_per_city: images of each of two cities in train and one in val.
        size: (height, width) of the images.

    Returns:
        `root`.
    """
    rng = np.random.default_rng(0)
    boxes = two_boxes(size)
    train_ids = np.full(size, ROAD, np.uint8)
    for label, (x1, y1, x2, y2) in zip((BICYCLE, VEHICLE), boxes, strict=True):
        train_ids[y1:y2, x1:x2] = label
    ids = np.vectorize(IDS.get, otypes=[np.uint8])(train_ids)
    for split, cities in CITIES.items():
        for city in cities:
            for number in range(images_per_city):
                name = f'{city}_{number:06}_000019'
                draw_photo(root / 'leftImg8bit' / split / city / f'{name}_leftImg8bit.png', boxes, size, rng)
                folder = root / 'gtFine' / split / city
                write_labels(folder / f'{name}_gtFine_labelTrainIds.png', train_ids)
                write_labels(folder / f'{name}_gtFine_labelIds.png', ids)
    return root
