"""VOC boxes and images by class that almost fit."""

import shutil

from .hostile_classes import metainfo, option
from .labelled_drafts import CLASSES, Case, save_image

XML = 'VOC2007/Annotations/2007_train_000000.xml'
LIST = 'VOC2007/ImageSets/Main/trainval.txt'


def replace(old, new, name=XML):
    def damage(draft):
        path = draft.root / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return damage


def swap_corners(draft):
    replace('xmin', 'tmp')(draft)
    replace('xmax', 'xmin')(draft)
    replace('tmp', 'xmax')(draft)


def write(text, name):
    return lambda draft: (draft.root / name).write_text(text)


def remove(name):
    def damage(draft):
        path = draft.root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def without_objects(draft):
    for path in (draft.root / 'VOC2007' / 'Annotations').iterdir():
        path.write_text(path.read_text().split('<object>')[0] + '</annotation>')


def rename_year(draft):
    (draft.root / 'VOC2007').rename(draft.root / 'mine')
    for dataset in draft.cfg.train_dataloader.dataset.datasets[:1]:
        dataset.update(ann_file='mine/ImageSets/Main/trainval.txt', data_prefix=dict(sub_data_root='mine/'))


VOC_CASES = [
    Case('name in capitals', 'voc', replace('aeroplane', 'Aeroplane'), "the config has no 'Aeroplane'"),
    Case('other name', 'voc', replace('tvmonitor', 'television'), "the config has no 'television'"),
    Case('truncated', 'voc', replace('</annotation>', ''), 'is not readable as XML'),
    Case('empty', 'voc', write('', XML), 'is not readable as XML'),
    Case('no box', 'voc', replace('bndbox', 'box'), 'without bndbox'),
    Case('no corner', 'voc', replace('xmin', 'x'), 'are not four numbers'),
    Case('corner is a word', 'voc', replace('<xmin>', '<xmin>a'), 'are not four numbers'),
    Case('corners swapped', 'voc', swap_corners, 'whose box is empty'),
    Case('empty name', 'voc', replace('aeroplane', ''), 'an object without a name'),
    Case('no objects', 'voc', without_objects, 'has an object'),
    Case('no list', 'voc', remove(LIST), 'no such file'),
    Case('empty list', 'voc', write('', LIST), 'lists no image'),
    Case('list with extensions', 'voc', write('2007_train_000000.jpg\n', LIST), 'without their extension'),
    Case('no image', 'voc', remove('VOC2007/JPEGImages/2007_train_000000.jpg'), 'images of'),
    Case('no annotation', 'voc', remove(XML), 'annotations of'),
    Case('no year in the folder', 'voc', rename_year, 'must contain VOC2007 or VOC2012'),
    Case('own classes', 'voc', option('model.roi_head.bbox_head.num_classes', 3), 'bbox_head.num_classes'),
    Case('VOC', 'voc', lambda draft: None, None),
]


def add_folder(name, *splits):
    def damage(draft):
        for split in splits:
            save_image(draft.root / split / name / '0.png', 24, 24)

    return damage


def empty_folder(draft):
    for path in (draft.root / 'train' / 'bolt').iterdir():
        path.unlink()


def flatten(draft):
    for path in sorted((draft.root / 'train').rglob('*.png')):
        path.rename(draft.root / 'train' / f'{path.parent.name}{path.name}')
    for name in CLASSES:
        (draft.root / 'train' / name).rmdir()


def rename_folder(old, new, *splits):
    def damage(draft):
        for split in splits or ('train', 'val'):
            (draft.root / split / old).rename(draft.root / split / new)

    return damage


def lines(function, split='train'):
    """Changes the lines of a list."""

    def damage(draft):
        path = draft.root / f'{split}.txt'
        path.write_text('\n'.join(function(path.read_text().splitlines())) + '\n')

    return damage


def relabel(function):
    return lines(lambda texts: [f'{name} {function(int(label))}' for name, label in map(str.split, texts)])


FOLDER_CASES = [
    Case('class missing in val', 'folders', remove('val/bolt'), 'the model has 3 classes'),
    Case('class missing in train', 'folders', remove('train/bolt'), 'the model has 3 classes'),
    Case('class named differently in val', 'folders', rename_folder('bolt', 'bolts', 'val'), "has no 'bolt'"),
    Case('class in capitals in val', 'folders', rename_folder('washer', 'Washer', 'val'), "has no 'washer'"),
    Case('further class', 'folders', add_folder('nut', 'train', 'val'), 'the data 4'),
    Case('hidden folder', 'folders', add_folder('.ipynb_checkpoints', 'train'), 'the data 4'),
    Case('empty class', 'folders', empty_folder, "no image in the folders 'bolt'"),
    Case('no folders', 'folders', flatten, 'contains no folders by class, only files'),
    Case('no train', 'folders', remove('train'), 'no such folder'),
    Case('names in another order', 'folders', metainfo(classes=CLASSES), 'in another order than the file'),
    Case('names spelt differently', 'folders', metainfo(classes=('bolt', 'gears', 'washer')), "has no 'gears'"),
    Case('too few names', 'folders', metainfo(classes=('a', 'b')), 'but the config has 2 classes'),
    Case(
        'other extensions',
        'folders',
        option('train_dataloader.dataset.extensions', ('.gif',)),
        'no folder has an image',
    ),
    Case('broken image', 'folders', lambda draft: (draft.root / 'train/bolt/0.png').write_text(''), 'not readable'),
    Case('folders', 'folders', lambda draft: None, None),
    Case('names in the order of folders', 'folders', metainfo(classes=tuple(sorted(CLASSES))), None),
    Case('names of their own', 'folders', metainfo(classes=('Bolzen', 'Zahnrad', 'Scheibe')), None),
    Case('no labels', 'list', lines(lambda texts: [text.split()[0] for text in texts]), 'one space and the number'),
    Case('names as labels', 'list', relabel(lambda label: CLASSES[label]), 'must be the number of a class'),
    Case('labels from 1', 'list', relabel(lambda label: label + 1), 'numbers start at 0'),
    Case('negative label', 'list', relabel(lambda label: label - 1), 'label -1, but'),
    Case('label too large', 'list', relabel(lambda label: label * 5), 'label 10, but the config has 0 to 2'),
    Case('commas', 'list', lines(lambda texts: [text.replace(' ', ',') for text in texts]), 'one space and the number'),
    Case('tabs', 'list', lines(lambda texts: [text.replace(' ', '\t') for text in texts]), 'one space and the number'),
    Case('fractional labels', 'list', relabel(lambda label: f'{label}.0'), 'must be the number of a class'),
    Case('all labels equal', 'list', relabel(lambda label: 1), 'all images have the label 1'),
    Case('empty line', 'list', lines(lambda texts: [texts[0], '', *texts[1:]]), 'line 2'),
    Case('header', 'list', lines(lambda texts: ['file label', *texts]), "ends in 'label'"),
    Case('empty list', 'list', lines(lambda texts: []), 'lists no image'),
    Case('images missing', 'list', remove('images/val'), 'images of val.txt are missing'),
    Case('no class names', 'list', lambda draft: [one.pop('metainfo') for one in draft.datasets()], 'names no classes'),
    Case('head of ImageNet', 'list', option('model.head.num_classes', 1000), 'model.head.num_classes'),
    Case('list', 'list', lambda draft: None, None),
    Case('a class without images in val', 'list', lines(lambda texts: texts[:4], 'val'), None),
]
