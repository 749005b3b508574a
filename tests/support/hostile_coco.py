"""COCO annotation files that almost fit."""

import json
import shutil
from copy import deepcopy

from PIL import Image

from .hostile_classes import option
from .labelled_drafts import SIZE, Case, save_image


def change(split='train', **by_key):
    """Applies a function to every entry of 'images', 'annotations' or 'categories'."""

    def damage(draft):
        for key, function in by_key.items():
            for one in draft.coco[split][key]:
                function(one)

    return damage


def first(key, split='train', **values):
    """Sets values of the first entry; `...` removes the key."""

    def damage(draft):
        one = draft.coco[split][key][0]
        for name, value in values.items():
            if value is ...:
                one.pop(name)
            else:
                one[name] = value

    return damage


def text(content, split='train'):
    return lambda draft: draft.write_text(content, split)


def content(function, split='train'):
    return lambda draft: function(draft.coco[split])


def encoded(function, prefix=b''):
    """Writes the training annotations with other bytes."""
    return lambda draft: draft.write_text(prefix + function(json.dumps(draft.coco['train'])))


def corners(one):
    x, y, width, height = one['bbox']
    one['bbox'] = [x, y, x + width, y + height]


def fractions(one):
    one['bbox'] = [value / size for value, size in zip(one['bbox'], SIZE[::-1] * 2, strict=True)]
    one['area'] = one['bbox'][2] * one['bbox'][3]


def mask_fractions(one):
    one['segmentation'] = [[value / 100 for value in part] for part in one['segmentation']]


def run_lengths(size):
    height, width = size
    return dict(size=[height, width], counts=[height * width // 2, height * width - height * width // 2])


def evaluator_of_train(draft):
    draft.cfg.val_evaluator.ann_file = str(draft.json_path('train'))
    for one in draft.coco['train']['images']:
        one['id'] += 100
    for one in draft.coco['train']['annotations']:
        one['image_id'] += 100


def rotate_by_exif(draft):
    image = Image.open(draft.image())
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(draft.image(), exif=exif)


def swap_sizes(one):
    one['height'], one['width'] = one['width'], one['height']


def drop_masks(draft):
    for key in draft.coco:
        for one in draft.coco[key]['annotations']:
            del one['segmentation']


def subfolders(draft):
    (draft.root / 'train2017' / 'a').mkdir()
    for one in draft.coco['train']['images']:
        shutil.move(draft.root / 'train2017' / one['file_name'], draft.root / 'train2017' / 'a' / one['file_name'])
        one['file_name'] = f'a/{one["file_name"]}'


def image_without_objects(draft):
    save_image(draft.image(number=9), *SIZE)
    draft.coco['train']['images'].append(dict(id=99, file_name='9.jpg', height=SIZE[0], width=SIZE[1]))


def secret_test_set(draft):
    content = dict(draft.coco['val'])
    del content['annotations']
    path = draft.root / 'annotations' / 'image_info_test.json'
    path.write_text(json.dumps(content))
    draft.cfg.test_dataloader = deepcopy(draft.cfg.val_dataloader)
    draft.cfg.test_dataloader.dataset.ann_file = f'annotations/{path.name}'
    draft.cfg.test_evaluator = dict(type='CocoMetric', format_only=True, ann_file=str(path))


POINTS = [[8, 8, 40, 8, 40, 40]]
NOT_COCO = 'not a COCO annotation file'
COCO_CASES = [
    Case('no such file', 'boxes', lambda draft: (draft.coco.pop('train'), draft.json_path().unlink()), 'no such file'),
    Case('a folder', 'boxes', option('train_dataloader.dataset.ann_file', 'annotations'), '(it is a folder)'),
    Case('empty', 'boxes', text(''), 'the file is empty'),
    Case('truncated', 'boxes', encoded(lambda words: words[:-40].encode()), 'is not valid JSON'),
    Case('trailing comma', 'boxes', text('{"images": [],}'), 'is not valid JSON'),
    Case('single quotes', 'boxes', text("{'images': []}"), 'is not valid JSON'),
    Case('not text', 'boxes', text(b'\x89PNG\r\n\x1a\n\xff\xfe'), 'is not UTF-8 text'),
    Case('UTF-16', 'boxes', encoded(lambda words: words.encode('utf-16')), 'is not UTF-8 text'),
    Case('byte-order mark', 'boxes', encoded(str.encode, b'\xef\xbb\xbf'), 'byte-order mark'),
    Case('a list', 'boxes', text('[]'), f'{NOT_COCO}: contains a list'),
    Case('results', 'boxes', text('[{"image_id": 1, "score": 0.5}]'), 'contains a list of results'),
    Case('a number', 'boxes', text('3'), f'{NOT_COCO}: contains a int'),
    *(
        Case(f'no {key}', kind, content(lambda one, key=key: one.pop(key)), f"has no '{key}'")
        for key in ('images', 'annotations', 'categories')
        for kind in ('boxes', 'masks')
    ),
    Case('images by id', 'boxes', content(lambda one: one.update(images={})), "'images' must be a list, got a dict"),
    Case('no image', 'boxes', content(lambda one: one.update(images=[])), 'its list of images is empty'),
    Case('no category', 'boxes', content(lambda one: one.update(categories=[])), 'its list of categories is empty'),
    Case('no annotation', 'boxes', content(lambda one: one.update(annotations=[])), 'none of its images has an'),
    Case('no annotation in val', 'boxes', content(lambda one: one.update(annotations=[]), 'val'), 'none of its images'),
    Case(
        'names as categories',
        'boxes',
        content(lambda one: one.update(categories=['gear'])),
        'must be a dict, got a str',
    ),
    *(
        Case(f'{key} without {name}', 'boxes', first(key, **{name: ...}), f'has no {name!r}')
        for key, names in {
            'images': ('id', 'file_name', 'height', 'width'),
            'annotations': ('id', 'image_id', 'category_id', 'bbox', 'area'),
            'categories': ('id', 'name'),
        }.items()
        for name in names
    ),
    Case('null box', 'boxes', first('annotations', bbox=None), "has no 'bbox'"),
    Case('height 0', 'boxes', first('images', height=0), 'must be a positive number'),
    Case('height as text', 'boxes', first('images', height='64'), 'must be a positive number'),
    Case('file name is a number', 'boxes', first('images', file_name=7), 'must be a text'),
    Case('image id twice', 'boxes', content(lambda one: one['images'].append(one['images'][0])), 'image id 1 is used'),
    Case('annotation id twice', 'boxes', change(annotations=lambda one: one.update(id=1)), 'annotation id 1 is used'),
    Case('category id twice', 'boxes', change(categories=lambda one: one.update(id=5)), 'category id 5 is used'),
    Case('category name twice', 'boxes', change(categories=lambda one: one.update(name='gear')), "name 'gear' is used"),
    Case(
        'unknown image', 'boxes', first('annotations', image_id=77), 'image_ids that the file does not list, such as 77'
    ),
    Case('unknown category', 'boxes', first('annotations', category_id=0), 'category_ids that the file does not list'),
    Case(
        'ids as text',
        'boxes',
        change(annotations=lambda one: one.update(image_id=str(one['image_id']))),
        'texts differ',
    ),
    Case('category as a list', 'boxes', first('annotations', category_id=[5]), 'category_ids that the file'),
    Case('box of three numbers', 'boxes', first('annotations', bbox=[1, 2, 3]), 'must be four numbers'),
    Case('empty box', 'boxes', first('annotations', bbox=[]), 'must be four numbers'),
    Case('box of texts', 'boxes', first('annotations', bbox=['1', '2', '3', '4']), 'must be four numbers'),
    Case('NaN in a box', 'boxes', first('annotations', bbox=[1, 2, float('nan'), 4]), 'must be four numbers'),
    Case('negative width', 'boxes', first('annotations', bbox=[40, 2, -30, 4]), 'a negative width or height'),
    Case('area as text', 'boxes', first('annotations', area='big'), 'must be a number'),
    Case('boxes as corners', 'boxes', change(annotations=corners), 'not two corners'),
    Case('boxes in fractions', 'boxes', change(annotations=fractions), 'not in fractions of the image'),
    Case('area 0', 'boxes', change(annotations=lambda one: one.update(area=0)), 'set area to width * height'),
    Case('boxes without width', 'boxes', change(annotations=lambda one: one['bbox'].__setitem__(2, 0)), 'mmdet drops'),
    Case(
        'boxes of another image size', 'boxes', change(images=lambda one: one.update(width=48)), 'beyond their images'
    ),
    Case('sizes swapped', 'boxes', change('val', images=swap_sizes), 'beyond their images'),
    Case(
        'sizes of larger images', 'boxes', change(images=lambda one: one.update(height=640, width=960)), 'but the annot'
    ),
    Case('turned by EXIF', 'boxes', rotate_by_exif, 'EXIF orientation turns it'),
    Case('image missing', 'boxes', lambda draft: draft.image().unlink(), '1 of 3 images'),
    Case(
        'image folder missing', 'boxes', lambda draft: shutil.rmtree(draft.root / 'val2017'), 'val2017: no such folder'
    ),
    Case(
        'another extension',
        'boxes',
        change(images=lambda one: one.update(file_name=one['file_name'][:-3] + 'png')),
        '(there is 0.jpg)',
    ),
    Case(
        'no extension', 'boxes', change(images=lambda one: one.update(file_name=one['file_name'][:-4])), 'no extension'
    ),
    Case(
        'path in the file name',
        'boxes',
        change(images=lambda one: one.update(file_name='x/' + one['file_name'])),
        '3 of 3',
    ),
    Case('image is a text', 'boxes', lambda draft: draft.image().write_text('no'), 'not readable as an image'),
    Case('empty image', 'boxes', lambda draft: draft.image('val').write_bytes(b''), 'not readable as an image'),
    Case('no iscrowd in val', 'boxes', first('annotations', 'val', iscrowd=...), "have no 'iscrowd'"),
    Case('metric of another file', 'boxes', evaluator_of_train, 'lacks 2 of the images'),
    Case('metric of no file', 'boxes', option('val_evaluator.ann_file', 'none.json'), 'none.json: no such file'),
    Case(
        'masks measured without a head', 'boxes', option('val_evaluator.metric', ['bbox', 'segm']), 'predicts no masks'
    ),
    Case('no masks', 'masks', drop_masks, 'have no segmentation, which the config reads'),
    Case(
        'one mask missing', 'masks', first('annotations', segmentation=...), '1 of 6 annotations have no segmentation'
    ),
    Case(
        'empty masks',
        'masks',
        change(annotations=lambda one: one.update(segmentation=[])),
        '6 of 6 annotations have no',
    ),
    Case('empty masks in val', 'masks', change('val', annotations=lambda one: one.update(segmentation=[])), '4 of 4'),
    Case('null mask', 'masks', first('annotations', segmentation=None), '1 of 6 annotations have no segmentation'),
    Case('flat polygon', 'masks', first('annotations', segmentation=POINTS[0]), 'is one flat list'),
    Case(
        'polygon of points',
        'masks',
        first('annotations', segmentation=[[[1, 2], [3, 4], [5, 6]]]),
        'is not a list of pol',
    ),
    Case('odd polygon', 'masks', first('annotations', segmentation=[[1, 2, 3, 4, 5, 6, 7]]), 'must be pairs'),
    Case(
        'polygon of two points', 'masks', first('annotations', segmentation=[[1, 2, 30, 40]]), 'less than three points'
    ),
    Case('polygon of texts', 'masks', first('annotations', segmentation=[['1', '2']]), 'is not a list of polygons'),
    Case('masks in fractions', 'masks', change(annotations=mask_fractions), 'masks lie in the first pixel'),
    Case('mask of a text', 'masks', first('annotations', segmentation='abc'), 'is a str'),
    Case(
        'masks elsewhere',
        'masks',
        change(annotations=lambda one: one.update(segmentation=[[200, 200, 210, 200, 210, 210]])),
        'do not lie',
    ),
    Case(
        'encoding without size',
        'masks',
        first('annotations', segmentation=dict(counts='a')),
        "without 'counts' or 'size'",
    ),
    Case(
        'encoding of another size', 'masks', first('annotations', segmentation=run_lengths((96, 64))), 'is encoded for'
    ),
    Case(
        'encoding too short',
        'masks',
        first('annotations', segmentation=dict(size=list(SIZE), counts=[5, 5])),
        'encodes 10',
    ),
    Case(
        'masks not read',
        'masks',
        lambda draft: draft.cfg.train_dataloader.dataset.pipeline[1].update(with_mask=False),
        'set with_mask=True',
    ),
    Case('small images', 'boxes', option('train_dataloader.dataset.filter_cfg.min_size', 65), 'filter_cfg.min_size=65'),
    Case('boxes', 'boxes', lambda draft: None, None),
    Case('a test set without annotations', 'boxes', secret_test_set, None),
    Case('masks', 'masks', lambda draft: None, None),
    Case('masks that are not read', 'boxes', first('annotations', segmentation=[[1, 2]]), None),
    Case('run lengths', 'masks', first('annotations', segmentation=run_lengths(SIZE)), None),
    Case('triangle', 'masks', first('annotations', segmentation=POINTS), None),
    Case('several polygons', 'masks', first('annotations', segmentation=POINTS * 2), None),
    Case('an image without objects', 'boxes', image_without_objects, None),
    Case('a box a little outside', 'boxes', first('annotations', bbox=[-1, 8, 60, 40]), None),
    Case('ids with gaps', 'boxes', change(annotations=lambda one: one.update(id=one['id'] * 10)), None),
    Case('subfolders', 'boxes', subfolders, None),
    Case('indented', 'boxes', encoded(lambda words: json.dumps(json.loads(words), indent=2).encode()), None),
    Case('a crowd', 'masks', first('annotations', iscrowd=1, segmentation=run_lengths(SIZE)), None),
    Case('further keys', 'boxes', content(lambda one: one.update(info={}, licenses=[])), None),
    Case(
        'metric on the same file',
        'boxes',
        lambda draft: draft.cfg.val_evaluator.update(ann_file=str(draft.json_path('val'))),
        None,
    ),
    Case('metric without a file', 'boxes', option('val_evaluator.ann_file', None), None),
]
