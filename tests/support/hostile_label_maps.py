"""Label maps that almost fit."""

import shutil

import numpy as np
from PIL import Image

from .hostile_classes import option
from .labelled_drafts import SIZE, Case, save_image, three_stripes


def every(function, split='train'):
    """Replaces every label map of a split by `function(labels)`, an array or an image."""

    def damage(draft):
        for path in sorted((draft.root / 'labels' / split).iterdir()):
            result = function(np.array(Image.open(path)))
            (result if isinstance(result, Image.Image) else Image.fromarray(result)).save(path)

    return damage


def one(function, split='train'):
    """Replaces the first label map."""

    def damage(draft):
        path = draft.label_map(split)
        result = function(np.array(Image.open(path)))
        (result if isinstance(result, Image.Image) else Image.fromarray(result)).save(path)

    return damage


def put(value, dtype=np.uint8):
    def change(labels):
        labels = labels.astype(dtype)
        labels[5, 7] = value
        return labels

    return change


def as_palette(labels):
    image = Image.new('P', labels.shape[::-1])
    image.putpalette([value for index in range(256) for value in (index, 255 - index, 0)])
    image.putdata(labels.ravel().tolist())
    return image


def colours(labels, mode='RGB'):
    return Image.fromarray(np.stack([labels * 80] * 3, axis=-1)).convert(mode)


def binary(background, foreground):
    def damage(draft):
        every(lambda labels: np.where(labels == 1, foreground, background).astype(np.uint8), 'train')(draft)
        every(lambda labels: np.where(labels == 1, foreground, background).astype(np.uint8), 'val')(draft)
        draft.set_metainfo(dict(classes=('background', 'gear')))
        draft.cfg.model.decode_head.num_classes = 2

    return damage


def move(pattern, new):
    """Renames files: `new(path)` is the new name."""

    def damage(draft):
        for path in sorted(draft.root.glob(pattern)):
            path.rename(path.with_name(new(path)))

    return damage


def names(text, split='train'):
    def damage(draft):
        (draft.root / f'{split}.txt').write_text(text)
        draft.cfg[f'{split}_dataloader'].dataset.ann_file = f'{split}.txt'

    return damage


def rotated(draft):
    path = draft.root / 'images' / 'train' / '0.jpg'
    image = Image.open(path)
    exif = image.getexif()
    exif[0x0112] = 8
    image.save(path, exif=exif)


def ade_subset(classes):
    def damage(draft):
        draft.set_metainfo(dict(classes=classes))
        draft.cfg.model.decode_head.num_classes = len(classes)

    return damage


def as_jpeg(draft):
    for split in ('train', 'val'):
        for path in sorted((draft.root / 'labels' / split).iterdir()):
            Image.open(path).save(path.with_suffix('.jpg'), quality=30)
            path.unlink()
        draft.cfg[f'{split}_dataloader'].dataset.seg_map_suffix = '.jpg'


def shift(labels):
    return np.where(labels == 255, 255, labels + 1).astype(np.uint8)


def shift_all(draft):
    for split in ('train', 'val'):
        every(shift, split)(draft)
    for dataset in draft.datasets():
        dataset.reduce_zero_label = True


def many_without_second_class(draft):
    """120 maps, of which only one that the sample leaves out holds a second class."""
    for number in range(3, 120):
        save_image(draft.root / 'images' / 'train' / f'{number}.jpg', *SIZE)
    for number in range(120):
        save_image(draft.label_map('train', number), *SIZE, mode='L', value=0)
    Image.fromarray(three_stripes()).save(draft.label_map('train', 3))


PIXELS = SIZE[0] * SIZE[1]
IMAGES, LABELS = 'images/train/*', 'labels/train/*'
LABEL_MAP_CASES = [
    Case('RGB', 'maps', every(colours), 'a colour image (RGB)'),
    Case('RGBA', 'maps', one(lambda labels: colours(labels, 'RGBA')), 'a colour image (RGBA)'),
    Case('grey with alpha', 'maps', one(lambda labels: Image.fromarray(labels).convert('LA')), 'a colour image (LA)'),
    Case('RGB in val', 'maps', one(colours, 'val'), 'a colour image'),
    Case('floats', 'maps', every(lambda labels: Image.fromarray(labels.astype(np.float32)).convert('RGB')), 'colour'),
    *(
        Case(f'label {value}', 'maps', one(put(value)), f'label {value}; the config has 0 to 2')
        for value in (3, 4, 11, 100, 254)
    ),
    Case('label 3 in val', 'maps', one(put(3), 'val'), 'label 3; the config has 0 to 2'),
    Case('16 bits', 'maps', one(put(300, np.uint16)), 'label 300; the config has'),
    Case('16 bits, 256 would become 0', 'maps', one(put(256, np.uint16)), 'label 256; the config has'),
    Case('classes from 1', 'maps', every(shift), 'set reduce_zero_label=True'),
    Case(
        'grey photo',
        'maps',
        every(lambda _: np.arange(PIXELS, dtype=np.uint32).reshape(SIZE).astype(np.uint8)),
        'grey photo',
    ),
    Case('masks of 0 and 255', 'maps', binary(0, 255), 'must have 1 instead of 255'),
    Case('masks of 0 and 128', 'maps', binary(0, 128), 'label 128; the config has 0 to 1'),
    Case('only background', 'maps', binary(0, 0), 'only the label 0'),
    Case('everything ignored', 'maps', binary(255, 255), 'no label map has an annotation'),
    Case('JPEG', 'maps', as_jpeg, 'JPEG changes labels'),
    Case('other size', 'maps', one(lambda labels: labels[:32]), 'has height and width [32, 96], but its image'),
    Case('half size', 'maps', every(lambda labels: labels[::2, ::2].copy()), 'has height and width [32, 48]'),
    Case('transposed', 'maps', one(lambda labels: labels.T.copy()), 'has height and width [96, 64]'),
    Case('image turned by EXIF', 'maps', rotated, 'EXIF orientation'),
    Case('not an image', 'maps', lambda draft: draft.label_map().write_text('no'), 'not readable'),
    Case('empty file', 'maps', lambda draft: draft.label_map('val').write_bytes(b''), 'not readable'),
    Case(
        'truncated',
        'maps',
        lambda draft: draft.label_map().write_bytes(draft.label_map().read_bytes()[:60]),
        'not read',
    ),
    Case(
        'image not readable', 'maps', lambda draft: (draft.root / 'images/train/0.jpg').write_text('no'), 'not readable'
    ),
    Case('one missing', 'maps', lambda draft: draft.label_map().unlink(), '1 of 3 label maps'),
    Case('folder missing', 'maps', lambda draft: shutil.rmtree(draft.root / 'labels/val'), 'no such folder'),
    Case(
        'folder empty', 'maps', lambda draft: [path.unlink() for path in draft.root.glob(LABELS)], '3 of 3 label maps'
    ),
    Case('data root missing', 'maps', lambda draft: shutil.rmtree(draft.root), 'no such folder'),
    Case('other suffix', 'maps', move(LABELS, lambda path: f'{path.stem}_mask.png'), "set seg_map_suffix='_mask.png'"),
    Case(
        'images of another suffix', 'maps', move(IMAGES, lambda path: f'{path.stem}.jpeg'), 'but *.jpeg: set img_suffix'
    ),
    Case('suffix in capitals', 'maps', move(IMAGES, lambda path: f'{path.stem}.JPG'), 'but *.JPG: set img_suffix'),
    Case('no images', 'maps', lambda draft: [path.unlink() for path in draft.root.glob(IMAGES)], 'contains no image'),
    Case('list with extensions', 'maps', names('0.jpg\n1.jpg\n'), 'without their extension'),
    Case('empty list', 'maps', names(''), 'lists no image'),
    Case('list of blanks', 'maps', names('\n\n'), 'lists no image'),
    Case('list with an empty line', 'maps', names('0\n\n1\n'), 'line 2 is empty'),
    Case('list of others', 'maps', names('0\n8\n'), '1 of 2 images'),
    Case('list of pairs', 'maps', names('images/train/0.jpg labels/train/0.png\n'), '1 of 1 images'),
    Case('no such list', 'maps', option('train_dataloader.dataset.ann_file', 'none.txt'), 'none.txt: no such file'),
    Case(
        'no folder of labels',
        'maps',
        lambda draft: draft.cfg.train_dataloader.dataset.data_prefix.pop('seg_map_path'),
        'needs data_prefix.seg_map_path',
    ),
    Case(
        'zero label in the pipeline only',
        'maps',
        lambda draft: draft.cfg.train_dataloader.dataset.pipeline[1].update(reduce_zero_label=True),
        'set both alike',
    ),
    Case('ADE20K with own classes', 'ade', ade_subset(('gear', 'bolt')), "use type='BaseSegDataset'"),
    Case(
        'ADE20K with more labels',
        'ade',
        lambda draft: save_image(draft.root / 'annotations/training/a.png', *SIZE, mode='L', value=151),
        'label 151',
    ),
    Case(
        'ADE20K with zero label', 'ade', option('train_dataloader.dataset.reduce_zero_label', False), 'set both alike'
    ),
    Case('stripes', 'maps', lambda draft: None, None),
    Case('palette image', 'maps', every(as_palette), None),
    Case('16 bits in range', 'maps', every(lambda labels: labels.astype(np.uint16)), None),
    Case('one map of one class', 'maps', one(lambda labels: labels * 0), None),
    Case('one map that is ignored', 'maps', one(lambda labels: labels * 0 + 255), None),
    Case('list', 'maps', names('0\n2\n'), None),
    Case('list with Windows line ends', 'maps', names('0\r\n2\r\n'), None),
    Case('masks of 0 and 1', 'maps', binary(0, 1), None),
    Case('classes from 1 with reduce_zero_label', 'maps', shift_all, None),
    Case('a rare second class', 'maps', many_without_second_class, None),
    Case('ADE20K', 'ade', lambda draft: None, None),
    Case('classes of ADE20K', 'ade', ade_subset(('wall', 'building', 'sky')), None),
]
