"""Labelled data sets that almost fit a config, each with the message that they must give, and sets that fit."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

DETECTION = 'mmdet/mask-rcnn_vitt16_small_coco-style.py'
SEGMENTATION = 'mmseg/semfpn_vitt16_small_camvid-360x480.py'
CLASSES = ('cat', 'dog', 'bird')


@dataclass(frozen=True)
class DataSet:
    """A data set: `change(root)` changes one that fits; `expected` is a pattern of the problem, or None."""

    name: str
    config: str
    change: Callable[[Path], None] = lambda root: None
    expected: str | None = None
    options: dict = field(default_factory=dict)


def write_detection(root, split='train', num_images=3):
    """Writes images and a COCO file with two objects in each image."""
    folder = root / 'images' / split
    folder.mkdir(parents=True)
    (root / 'annotations').mkdir(exist_ok=True)
    images, objects = [], []
    for index in range(num_images):
        Image.fromarray(np.full((48, 64, 3), 40 * index, np.uint8)).save(folder / f'{index}.jpg')
        images.append(dict(id=index + 1, file_name=f'{index}.jpg', height=48, width=64))
        for category in (1, 2 + index % 2):
            corners = [5, 5, 25, 5, 25, 30, 5, 30]
            box = dict(bbox=[5, 5, 20, 25], area=500, iscrowd=0, segmentation=[corners])
            objects.append(dict(id=len(objects) + 1, image_id=index + 1, category_id=category, **box))
    categories = [dict(id=number, name=name) for number, name in enumerate(CLASSES, 1)]
    content = dict(images=images, annotations=objects, categories=categories)
    (root / 'annotations' / f'{split}.json').write_text(json.dumps(content))


def write_segmentation(root, split='train', num_images=3):
    """Writes images and label maps with the labels 0 to 10 and 255."""
    for kind in ('images', 'labels'):
        (root / kind / split).mkdir(parents=True)
    labels = np.arange(48 * 64, dtype=np.uint8).reshape(48, 64) % 11
    labels[0] = 255
    for index in range(num_images):
        Image.fromarray(np.full((48, 64, 3), 40 * index, np.uint8)).save(root / 'images' / split / f'{index}.jpg')
        Image.fromarray(labels).save(root / 'labels' / split / f'{index}.png')


def detection_options(root):
    """Returns the overrides that make the detector's config use the data."""
    options = {
        'train_cfg.max_epochs': 1,
        'model.roi_head.bbox_head.num_classes': len(CLASSES),
        'model.roi_head.mask_head.num_classes': len(CLASSES),
    }
    for split in ('train', 'val', 'test'):
        path = f'{split}_dataloader.dataset'
        options |= {
            f'{path}.data_root': str(root),
            f'{path}.ann_file': 'annotations/train.json',
            f'{path}.data_prefix': dict(img='images/train'),
            f'{path}.metainfo': dict(classes=CLASSES),
        }
    return options


def segmentation_options(root):
    """Returns the overrides that make the segmenter's config use the data."""
    options = {}
    for split in ('train', 'val', 'test'):
        path = f'{split}_dataloader.dataset'
        prefix = dict(img_path='images/train', seg_map_path='labels/train')
        options |= {f'{path}.data_root': str(root), f'{path}.data_prefix': prefix}
    return options


def _edit(change):
    """Makes a change of a COCO file's contents."""

    def apply(root):
        path = root / 'annotations' / 'train.json'
        content = json.loads(path.read_text())
        content = change(content) or content
        path.write_text(json.dumps(content))

    return apply


def _rename(old, new):
    def change(content):
        for one in content['categories']:
            one['name'] = new if one['name'] == old else one['name']

    return _edit(change)


def _each(part, **values):
    """Sets values of every entry of a list, or removes them (None)."""

    def change(content):
        for one in content[part]:
            for key, value in values.items():
                one[key] = value
                if value is None:
                    del one[key]

    return _edit(change)


def _case(config, name, change=lambda root: None, expected=None, **options):
    """A data set; `__` in the name of an option stands for a dot."""
    options = {key.replace('__', '.'): value for key, value in options.items()}
    return DataSet(name, config, change, expected, options)


def detection_sets():
    def case(name, change=lambda root: None, expected=None, **options):
        return DataSet(
            name, DETECTION, change, expected, {key.replace('__', '.'): value for key, value in options.items()}
        )

    yield case('fits')
    yield case('categories in another order', _edit(lambda c: c['categories'].reverse()))
    yield case('other ids of categories', _edit(_shift_ids))
    yield case('crowds', _each('annotations', iscrowd=1))
    yield case('an image without objects', _edit(lambda c: c['annotations'].__delitem__(slice(0, 2))))
    for new in ('Cat', 'cats', ' cat', 'cat ', 'kitty', '', 'CAT', 'c at', 'cat\n', 'gato'):
        yield case(f'category cat is {new!r}', _rename('cat', new), 'wrong class list: the file has no cat')
    for classes in (('cat', 'dog'), ('cat',), ('cat', 'dog', 'fox'), ('cat', 'dog', 'bird', 'fox'), tuple('abc')):
        metainfo = dict(train_dataloader__dataset__metainfo=dict(classes=classes, _delete_=True))
        yield case(f'classes {classes}', expected='wrong class list|classes, the data', **metainfo)
    for classes in ('cat', 'cat,dog,bird', 3, {'cat': 1}, ['cat', 3, 'bird'], [['cat'], ['dog'], ['bird']], [None]):
        metainfo = dict(train_dataloader__dataset__metainfo=dict(classes=classes, _delete_=True))
        yield case(f'classes of the wrong type {classes!r}', expected='classes must be a tuple or a list', **metainfo)
    twice = dict(classes=['cat', 'cat', 'bird'], _delete_=True)
    yield case('a class twice', expected='names cat twice', train_dataloader__dataset__metainfo=twice)
    for number in (1, 2, 4, 20, 80, 91):
        for head in ('bbox_head', 'mask_head'):
            option = {f'model__roi_head__{head}__num_classes': number}
            yield case(f'{head} of {number} classes', expected=f'the model has {number} classes, the data 3', **option)
    for value in ([], None):
        change = _each('annotations', segmentation=value)
        yield case(f'segmentation {value}', change, '6 of 6 annotations have no segmentation')
    change = _edit(lambda c: c['annotations'][0].update(segmentation=[]))
    yield case('no segmentation of one', change, '1 of 6 annotations')
    yield case('no annotation', _edit(lambda c: c['annotations'].clear()), 'none of its images has an annotation')
    yield case('no image', _edit(lambda c: c['images'].clear()), 'none of its images has an annotation')
    yield case('annotations of other images', _each('annotations', image_id=99), 'none of its images has an annotation')
    yield case('empty boxes', _each('annotations', bbox=[]), 'none of its images has an annotation')
    for part in ('images', 'annotations', 'categories'):
        yield case(f'no list {part}', _edit(lambda c, part=part: c.__delitem__(part)), 'not a COCO annotation file')
        yield case(f'{part} is a dict', _edit(lambda c, part=part: c.__setitem__(part, {'a': 1})), 'not a COCO')
        yield case(f'{part} is a number', _edit(lambda c, part=part: c.__setitem__(part, 3)), 'not a COCO')
        twice = _edit(lambda c, part=part: c[part].append(dict(c[part][0])))
        yield case(f'an entry of {part} twice', twice, f'there are several {part} with the id 1')
    keys = dict(images=('id', 'file_name'), annotations=('image_id', 'bbox'), categories=('id', 'name'))
    for part, names in keys.items():
        for key in names:
            yield case(f'{part} without {key}', _each(part, **{key: None}), 'not a COCO annotation file')
    yield case(
        'category ids that are not there', _each('annotations', category_id=9), 'has the category 9, which is not'
    )
    yield case('category ids from 0', _each('annotations', category_id=0), 'has the category 0, which is not there')
    for box in ([1, 2, 3], [1, 2, 3, 4, 5], ['1', '2', '3', '4'], [1, 2, None, 4], [float('nan'), 1, 1, 1]):
        yield case(f'boxes {box}', _each('annotations', bbox=box), 'not four numbers')
    for name in ('gone.jpg', 'sub/0.jpg', '/nowhere/0.jpg', '0.JPG'):
        yield case(f'images named {name}', _each('images', file_name=name), '3 of 3 images of .* are missing')
    yield case(
        'an image is missing', lambda root: (root / 'images/train/1.jpg').unlink(), '1 of 3 images of .* missing'
    )
    for text in ('', '{', '[]', '3', 'null', '{"images": []}', 'images: []', '\x00'):
        change = lambda root, text=text: (root / 'annotations/train.json').write_text(text)  # noqa: E731
        yield case(f'annotation file {text!r}', change, 'not a COCO annotation file')
    yield case('no annotation file', lambda root: (root / 'annotations/train.json').unlink(), 'no such file')
    for path in ('images/train', 'images'):
        yield case(f'no folder {path}', lambda root, path=path: (root / path).rename(root / 'other'), 'no such folder')
    nowhere = {'train_dataloader__dataset__data_root': '/nowhere'}
    yield case('no root', expected='/nowhere: no such folder', **nowhere)
    text = {'train_dataloader__dataset__metainfo': 'cat'}
    yield case('metainfo is a text', expected='metainfo must be a dict', **text)
    wrapped = dict(type='RepeatDataset', times=2, _delete_=True)
    yield case('in a RepeatDataset, cat is Cat', _rename('cat', 'Cat'), 'no cat', wrap=wrapped)
    wrapped = dict(type='ConcatDataset', _delete_=True)
    yield case('in a ConcatDataset, cat is Cat', _rename('cat', 'Cat'), 'no cat', wrap=wrapped)


def _shift_ids(content):
    for one in content['categories']:
        one['id'] += 40
    for one in content['annotations']:
        one['category_id'] += 40


def _maps(change):
    """Changes the labels of all label maps."""

    def apply(root):
        for path in (root / 'labels' / 'train').iterdir():
            image = change(np.array(Image.open(path)))
            (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path)

    return apply


def _put(value):
    def change(labels):
        labels[5, 5] = value
        return labels

    return _maps(change)


def segmentation_sets():
    def case(name, change=lambda root: None, expected=None, **options):
        return DataSet(
            name, SEGMENTATION, change, expected, {key.replace('__', '.'): value for key, value in options.items()}
        )

    def palette(labels):
        image = Image.fromarray(labels, 'P')
        image.putpalette(list(range(256)) * 3)
        return image

    yield case('label maps fit')
    yield case('label maps with a palette', _maps(palette))
    yield case('only ignored labels', _maps(lambda labels: np.full_like(labels, 255)))
    for value in (11, 12, 20, 100, 150, 254):
        yield case(f'label {value}', _put(value), f'label {value}; the config has 0 to 10')
    yield case('label 1000', _maps(lambda labels: labels.astype(np.uint16) + 990), 'label 990; the config has 0 to 10')
    yield case('maps in RGB', _maps(lambda labels: np.repeat(labels[..., None], 3, 2)), 'a colour image, not a map')
    yield case('maps in RGBA', _maps(lambda labels: np.repeat(labels[..., None], 4, 2)), 'a colour image, not a map')
    yield case('maps of 0 and 255 in RGB', _maps(lambda labels: np.zeros((48, 64, 3), np.uint8)), 'a colour image')
    for number in (1, 2, 10, 12, 19, 150):
        option = dict(model__decode_head__num_classes=number)
        yield case(
            f'decode head of {number} classes', expected=f'the model has {number} classes, the data 11', **option
        )
    for classes in ('sky', 'sky,road', 11, ['sky', 3]):
        option = dict(train_dataloader__dataset__metainfo=dict(classes=classes, palette=None))
        yield case(f'names of the wrong type {classes!r}', expected='classes must be a tuple or a list', **option)
    for classes in (['sky'], [f'class {number}' for number in range(12)]):
        option = dict(train_dataloader__dataset__metainfo=dict(classes=classes, palette=None))
        yield case(f'{len(classes)} names', expected='wrong class list', **option)
    for kind, what in (('labels/train/1.png', 'label maps'), ('images/train/1.jpg', None)):
        yield case(
            f'no {kind}', lambda root, kind=kind: (root / kind).unlink(), what and f'1 of 3 {what} in .* are missing'
        )
    for folder in ('labels/train', 'images/train', 'labels'):
        yield case(
            f'no folder {folder} of maps', lambda root, folder=folder: (root / folder).rename(root / 'o'), 'no such'
        )
    for data in (b'', b'text', b'\x89PNG\r\n\x1a\n'):
        change = lambda root, data=data: (root / 'labels/train/0.png').write_bytes(data)  # noqa: E731
        yield case(f'map of the bytes {data!r}', change, 'not readable')
    for suffix in ('.tif', '_labels.png', '.PNG'):
        option = dict(train_dataloader__dataset__seg_map_suffix=suffix)
        yield case(f'maps with the suffix {suffix}', expected='3 of 3 label maps in .* are missing', **option)
    option = dict(train_dataloader__dataset__img_suffix='.tif')
    yield case('images with the suffix .tif', expected='contains no image', **option)
    option = dict(train_dataloader__dataset__reduce_zero_label=True)
    yield case('reduce_zero_label and labels that fit', **option)


def all_sets():
    """Returns all data sets."""
    return [*detection_sets(), *segmentation_sets()]
