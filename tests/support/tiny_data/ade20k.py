"""ADE20K (SceneParse150): images/{training,validation}/*.jpg, annotations/{training,validation}/*.png."""

import numpy as np

from . import draw_photo, two_boxes, write_labels

LABELS = (1, 150)  # wall and flag, the first and the last class; 0 is unlabelled
SPLITS = dict(training='train', validation='val')


def write_ade20k(root, images_per_split=2, size=(64, 96)):
    """Every image has a box of the first class and one of the last; the rest is unlabelled.

    Args:
        root: folder to write into, the `ADEChallengeData2016`.
        images_per_split: images in each of training and validation.
        size: (height, width) of the images.

    Returns:
        `root`.
    """
    rng = np.random.default_rng(0)
    boxes = two_boxes(size)
    labels = np.zeros(size, np.uint8)
    for label, (x1, y1, x2, y2) in zip(LABELS, boxes, strict=True):
        labels[y1:y2, x1:x2] = label
    for split, short in SPLITS.items():
        for number in range(1, images_per_split + 1):
            name = f'ADE_{short}_{number:08}'
            draw_photo(root / 'images' / split / f'{name}.jpg', boxes, size, rng)
            write_labels(root / 'annotations' / split / f'{name}.png', labels)
    return root
