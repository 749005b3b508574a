"""PASCAL VOC: VOCdevkit/VOC{2007,2012}/{JPEGImages,Annotations,ImageSets,SegmentationClass[Aug]}."""

from xml.etree import ElementTree

import numpy as np
from PIL import Image

from . import draw_photo, two_boxes

CLASSES = ('aeroplane', 'tvmonitor')  # the first and the last: 1 and 20 in label maps
LABELS = (1, 20)
IGNORED = 255
SETS = {'VOC2007': ('train', 'val', 'test'), 'VOC2012': ('train', 'val')}
DETECTION_UNIONS = {'trainval': ('train', 'val')}
SEGMENTATION_UNIONS = {'trainval': ('train', 'val'), 'aug': ('train',), 'trainaug': ('train',)}


def write_voc(root, images_per_split=2, size=(64, 96)):
    """Every image has an aeroplane, a tvmonitor and, over the whole image, a tvmonitor marked difficult.

    Label maps hold the first two, with a border of 255, in PNGs with a palette. The splits `aug` and `trainaug` and
    the folder `SegmentationClassAug` are those of VOC 2012 with the extra annotations of SBD; here they repeat `train`.

    Args:
        root: folder to write into, the `VOCdevkit`.
        images_per_split: images in each of train, val (both years) and test (2007).
        size: (height, width) of the images.

    Returns:
        `root`.
    """
    rng = np.random.default_rng(0)
    boxes = two_boxes(size)
    for year, splits in SETS.items():
        folder = root / year
        names = {split: [f'{year[3:]}_{split}_{i:06}' for i in range(images_per_split)] for split in splits}
        for name in sum(names.values(), []):
            draw_photo(folder / 'JPEGImages' / f'{name}.jpg', boxes, size, rng)
            _write_xml(folder / 'Annotations' / f'{name}.xml', boxes, size)
            for labels in ('SegmentationClass', *(['SegmentationClassAug'] if year == 'VOC2012' else [])):
                _write_labels(folder / labels / f'{name}.png', boxes, size)
        _write_sets(folder / 'ImageSets' / 'Main', names, DETECTION_UNIONS)
        _write_sets(folder / 'ImageSets' / 'Segmentation', names, SEGMENTATION_UNIONS)
    return root


def _write_sets(folder, names, unions):
    folder.mkdir(parents=True)
    lists = {**names, **{union: sum((names[split] for split in splits), []) for union, splits in unions.items()}}
    for split, members in lists.items():
        (folder / f'{split}.txt').write_text(''.join(f'{name}\n' for name in members))


def _write_xml(path, boxes, size):
    """Corners in VOC's way: from 1, the far ones included."""
    height, width = size
    root = ElementTree.Element('annotation')
    ElementTree.SubElement(root, 'filename').text = f'{path.stem}.jpg'
    _add(ElementTree.SubElement(root, 'size'), width=width, height=height, depth=3)
    objects = [(*pair, 0) for pair in zip(CLASSES, boxes, strict=True)] + [(CLASSES[1], (0, 0, width, height), 1)]
    for name, (x1, y1, x2, y2), difficult in objects:
        entry = ElementTree.SubElement(root, 'object')
        _add(entry, name=name, pose='Unspecified', truncated=0, difficult=difficult)
        _add(ElementTree.SubElement(entry, 'bndbox'), xmin=x1 + 1, ymin=y1 + 1, xmax=x2, ymax=y2)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(path)


def _add(parent, **children):
    for name, text in children.items():
        ElementTree.SubElement(parent, name).text = str(text)


def _write_labels(path, boxes, size):
    labels = np.zeros(size, np.uint8)
    for label, (x1, y1, x2, y2) in zip(LABELS, boxes, strict=True):
        labels[y1:y2, x1:x2] = IGNORED
        labels[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2] = label
    image = Image.fromarray(labels)
    image.putpalette(np.random.default_rng(0).integers(0, 256, 768, dtype=np.uint8).tobytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
