"""CamVid as this project's configs read it: images/{train,val,test}/*.jpg, labels/{train,val,test}/*.png."""

import numpy as np

from . import draw_photo, write_labels


def write_camvid(root, images_per_split=2, size=(64, 96)):
    """The left half of every image is class 0, the right half class 3; two rows on top are to be ignored.

    Args:
        root: folder to write into.
        images_per_split: images in each of train, val and test.
        size: (height, width) of the images.

    Returns:
        `root`.
    """
    rng = np.random.default_rng(0)
    height, width = size
    labels = np.zeros(size, np.uint8)
    labels[:, width // 2 :] = 3
    labels[:2] = 255
    for split in ('train', 'val', 'test'):
        for number in range(images_per_split):
            draw_photo(root / 'images' / split / f'{number}.jpg', [(width // 2, 0, width, height)], size, rng)
            write_labels(root / 'labels' / split / f'{number}.png', labels)
    return root
