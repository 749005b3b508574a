"""A net whose features are known, and labelled images that it can or cannot tell apart."""

import json

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

CELL = 8
COLOURS = np.array([[220, 40, 40], [40, 220, 40], [40, 40, 220]], np.uint8)


class MeanColour(nn.Module):
    """The mean colour of every 8 x 8 pixels, as a backbone gives it: a tuple of maps `(B, 3, h, w)`."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images):
        return (F.avg_pool2d(images, CELL) * self.scale,)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def coloured(rng, colour, height=40, width=56):
    """`(H, W, 3)` uint8 of one colour, with a little noise."""
    return (colour + rng.integers(-20, 20, (height, width, 3))).astype(np.uint8)


def write_classes(root, num=6, shuffled=False, seed=0):
    """Class folders `red`, `green`, `blue` of `num` images each; shuffled: the colour says nothing of the class."""
    rng = np.random.default_rng(seed)
    for label, name in enumerate(('red', 'green', 'blue')):
        for number in range(num):
            colour = COLOURS[rng.integers(3) if shuffled else label]
            save(root / name / f'{number}.png', coloured(rng, colour, 30 + 3 * (number % 5), 50 - 2 * (number % 7)))
    return root


def write_objects(root, num=6, seed=0):
    """`images/` and `a.json`: in each image three 20 px squares, their categories 5, 7, 9 by colour, and noise."""
    rng = np.random.default_rng(seed)
    images, annotations = [], []
    for number in range(num):
        pixels = rng.integers(0, 255, (64, 96, 3), dtype=np.uint8)
        for label, left in zip(rng.permutation(3), (2, 34, 66), strict=True):
            pixels[20:40, left : left + 20] = coloured(rng, COLOURS[label], 20, 20)
            annotations.append(dict(image_id=number, category_id=int(5 + 2 * label), bbox=[left, 20, 20, 20]))
        save(root / 'images' / f'{number}.png', pixels)
        images.append(dict(id=number, file_name=f'{number}.png', height=64, width=96))
    (root / 'a.json').write_text(json.dumps(dict(images=images, annotations=annotations)))
    return root / 'images', root / 'a.json'


def write_label_maps(root, num=6, seed=0, blocks=(3, 4), block=16):
    """`images/` and `labels/`: blocks of one colour each, labelled by it; the first image's first row is ignored."""
    rng = np.random.default_rng(seed)
    for number in range(num):
        labels = rng.integers(0, 3, blocks).astype(np.uint8).repeat(block, axis=0).repeat(block, axis=1)
        save(root / 'images' / f'{number}.jpg', COLOURS[labels])
        if number == 0:
            labels[:block] = 255
        save(root / 'labels' / f'{number}.png', labels)
    return root / 'images', root / 'labels'
