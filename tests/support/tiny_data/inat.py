"""iNaturalist 2019: train_val2019/<super category>/<category id>/*.jpg, {train,val}2019.json."""

import json

import numpy as np

from . import draw_photo, two_boxes

SUPER_CATEGORIES = ('Birds', 'Plants')


def write_inat(root, num_categories=6, images_per_category=2, size=(64, 96)):
    """Every category has images in train and one in val. Names repeat none, ids are listed from the last to the first.

    Args:
        root: folder to write into.
        num_categories: categories, 1010 in the real set.
        images_per_category: images of each category in train.
        size: (height, width) of the images.

    Returns:
        `root`.
    """
    rng = np.random.default_rng(0)
    kind = [SUPER_CATEGORIES[number * len(SUPER_CATEGORIES) // num_categories] for number in range(num_categories)]
    categories = [
        dict(id=number, name=f'{kind[number]}_{number}', supercategory=kind[number])
        for number in reversed(range(num_categories))
    ]
    next_id = 400000
    for split, count in dict(train=images_per_category, val=1).items():
        images, annotations = [], []
        for number in range(num_categories):
            for _ in range(count):
                name = f'train_val2019/{kind[number]}/{number}/{rng.bytes(16).hex()}.jpg'
                draw_photo(root / name, two_boxes(size)[: 1 + number % 2], size, rng)
                images.append(dict(id=next_id, file_name=name, height=size[0], width=size[1], license=0))
                annotations.append(dict(id=next_id, image_id=next_id, category_id=number))
                next_id += 1
        content = dict(info={}, licenses=[], images=images, annotations=annotations, categories=categories)
        (root / f'{split}2019.json').write_text(json.dumps(content))
    return root
