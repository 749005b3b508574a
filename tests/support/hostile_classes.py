"""Class lists, heads and metrics that almost fit the data."""

from copy import deepcopy

from .labelled_drafts import CLASSES, Case

COCO_80 = 80


def rename(old, new, *splits):
    def damage(draft):
        for split in splits or draft.coco:
            for one in draft.coco[split]['categories']:
                if one['name'] == old:
                    one['name'] = new

    return damage


def metainfo(*splits, **values):
    return lambda draft: draft.set_metainfo(dict(values), *splits)


def option(key, value):
    return lambda draft: draft.cfg.merge_from_dict({key: value})


def own_classes_on_coco_config(draft):
    for dataset in draft.datasets():
        del dataset['metainfo']


def wrap(*types):
    """Wraps the training data set; the inner one is damaged by a renamed category."""

    def damage(draft):
        rename('bolt', 'bolts', 'train')(draft)
        dataset = draft.cfg.train_dataloader.dataset
        for kind in types:
            if kind == 'ConcatDataset':
                dataset = dict(type=kind, datasets=[deepcopy(dataset)])
            else:
                extra = dict(times=2) if kind == 'RepeatDataset' else dict(oversample_thr=0.1)
                dataset = dict(type=kind, dataset=deepcopy(dataset), **extra)
        draft.cfg.train_dataloader.dataset = dataset

    return damage


def concat_with_other_order(draft):
    dataset = draft.cfg.train_dataloader.dataset
    other = deepcopy(dataset)
    other.metainfo = dict(classes=('bolt', 'gear', 'washer'))
    draft.cfg.train_dataloader.dataset = dict(type='ConcatDataset', datasets=[dataset, other])


def fewer_categories(draft):
    draft.coco['train']['categories'] = draft.coco['train']['categories'][:2]
    for one in draft.coco['train']['annotations']:
        one['category_id'] = min(one['category_id'], 6)


def reorder(*splits):
    def damage(draft):
        for split in splits or draft.coco:
            draft.coco[split]['categories'].reverse()

    return damage


def classes_file(draft):
    path = draft.root / 'classes.txt'
    path.write_text('\n'.join(CLASSES) + '\n')
    draft.set_metainfo(dict(classes=str(path)))


def unused_category(draft):
    for content in draft.coco.values():
        content['categories'].insert(0, dict(id=0, name='parts', supercategory='none'))


def _spelling(kind):
    near = {
        'plural': ('bolt', 'bolts'),
        'capital': ('bolt', 'Bolt'),
        'upper case': ('gear', 'GEAR'),
        'trailing space': ('washer', 'washer '),
        'leading space': ('gear', ' gear'),
        'underscore': ('washer', 'wash_er'),
        'hyphen': ('washer', 'wash-er'),
        'typo': ('washer', 'wahser'),
        'other word': ('washer', 'screw'),
        'accent': ('bolt', 'bölt'),
    }
    return [
        Case(f'category spelt differently: {name}', kind, rename(old, new), f'the file has no {old!r}')
        for name, (old, new) in near.items()
    ]


CLASS_CASES = [
    *_spelling('boxes'),
    Case('spelt differently in val only', 'boxes', rename('bolt', 'bolts', 'val'), "the config has no 'bolts'"),
    Case('spelt differently, masks', 'masks', rename('bolt', 'bolts'), "no 'bolt' (but 'bolts')"),
    Case(
        'own classes on a COCO config', 'boxes', own_classes_on_coco_config, "set metainfo classes to ('gear', 'bolt'"
    ),
    Case(
        'own classes on a COCO config, masks', 'masks', own_classes_on_coco_config, 'wrong class list: the file has no'
    ),
    Case('categories in another order', 'boxes', reorder(), "another order than the file, which is ('washer', 'bolt'"),
    Case('categories in another order in val', 'boxes', reorder('val'), 'another order than the file'),
    Case('file without a category of the config', 'boxes', fewer_categories, "the file has no 'washer'"),
    Case(
        'config without a used category',
        'boxes',
        lambda draft: (
            draft.set_metainfo(dict(classes=CLASSES[:2])),
            option('model.roi_head.bbox_head.num_classes', 2)(draft),
        ),
        "the config has no 'washer'",
    ),
    Case('classes as a text', 'boxes', metainfo(classes='gear'), 'each character of which would be a class'),
    Case('one class without a comma', 'maps', metainfo(classes=('gear')), "write ('gear',)"),
    Case('classes as a text, folders', 'folders', metainfo(classes='gear'), "write ('gear',)"),
    Case('classes as a comma-separated text', 'boxes', metainfo(classes='gear,bolt,washer'), 'each character'),
    Case('classes as a dict', 'boxes', metainfo(classes={'0': 'gear'}), 'must be a tuple of names'),
    Case('classes as a number', 'maps', metainfo(classes=3), 'must be a tuple of names, got a int'),
    Case('no classes in the tuple', 'boxes', metainfo(classes=()), 'is empty'),
    Case('nested classes', 'boxes', metainfo(classes=(CLASSES,)), 'must be a flat tuple'),
    Case('class numbers', 'boxes', metainfo(classes=(0, 1, 2)), 'must be a flat tuple of names, but contains 0'),
    Case('a class twice', 'boxes', metainfo(classes=('gear', 'bolt', 'bolt')), "contains 'bolt' more than once"),
    Case('an empty class name', 'maps', metainfo(classes=('gear', '', 'bolt')), 'contains an empty name'),
    Case('CLASSES in capitals', 'boxes', metainfo(CLASSES=CLASSES), "has 'CLASSES', which is ignored"),
    Case('class_names', 'maps', metainfo(class_names=CLASSES), "has 'class_names', which is ignored"),
    Case('metainfo is a tuple', 'boxes', lambda draft: draft.set_metainfo(CLASSES), 'must be a dict'),
    Case('metainfo is a text', 'maps', lambda draft: draft.set_metainfo('gear'), 'must be a dict'),
    Case('palette of other length', 'maps', metainfo(classes=CLASSES, palette=[[0, 0, 0]]), '1 colours for 3 classes'),
    Case('palette of names', 'maps', metainfo(classes=CLASSES, palette=['red'] * 3), 'must be a list of colours'),
    Case(
        'classes outside metainfo', 'boxes', option('train_dataloader.dataset.classes', CLASSES), 'write metainfo=dict'
    ),
    Case(
        'train and val in another order', 'maps', metainfo('val', classes=CLASSES[::-1]), 'in another order than train'
    ),
    Case('val with another class', 'maps', metainfo('val', classes=('gear', 'bolt', 'nut')), "has no 'washer'"),
    Case(
        'val of a COCO config',
        'boxes',
        lambda draft: draft.cfg.val_dataloader.dataset.pop('metainfo'),
        "set metainfo classes to ('gear'",
    ),
    Case('box head of 80', 'boxes', option('model.roi_head.bbox_head.num_classes', COCO_80), 'bbox_head.num_classes'),
    Case('box head with one class less', 'boxes', option('model.roi_head.bbox_head.num_classes', 2), 'the data 3'),
    Case('box head with background', 'boxes', option('model.roi_head.bbox_head.num_classes', 4), 'has 4 classes'),
    Case('mask head of 80', 'masks', option('model.roi_head.mask_head.num_classes', COCO_80), 'mask_head.num_classes'),
    Case('decode head with more classes', 'maps', option('model.decode_head.num_classes', 11), 'the data 3'),
    Case('decode head with fewer classes', 'maps', option('model.decode_head.num_classes', 2), 'has 2 classes'),
    Case(
        'auxiliary head with other classes',
        'maps',
        option('model.auxiliary_head', dict(type='FCNHead', num_classes=11)),
        'model.auxiliary_head.num_classes',
    ),
    Case(
        'one of two auxiliary heads',
        'maps',
        option('model.auxiliary_head', [dict(num_classes=3), dict(num_classes=4)]),
        'model.auxiliary_head.1.num_classes',
    ),
    Case('class weights', 'maps', option('model.decode_head.loss_decode.class_weight', [1, 1]), '2 weights for 3'),
    Case('head of ImageNet', 'folders', option('model.head.num_classes', 1000), 'model.head.num_classes'),
    Case('mixup of ImageNet', 'folders', option('model.data_preprocessor.num_classes', 1000), 'data_preprocessor'),
    Case('top 5 of 3 classes', 'folders', option('val_evaluator.topk', (1, 5)), 'the best 5 of 3 classes'),
    Case('inside ConcatDataset', 'boxes', wrap('ConcatDataset'), "no 'bolt' (but 'bolts')"),
    Case('inside RepeatDataset', 'boxes', wrap('RepeatDataset'), "no 'bolt' (but 'bolts')"),
    Case('inside ClassBalancedDataset', 'boxes', wrap('ClassBalancedDataset'), "no 'bolt' (but 'bolts')"),
    Case('inside two wrappers', 'boxes', wrap('ConcatDataset', 'RepeatDataset'), "no 'bolt' (but 'bolts')"),
    Case('joined data sets with other classes', 'boxes', concat_with_other_order, 'another order'),
    Case('a list of data sets', 'boxes', lambda draft: draft.cfg.train_dataloader.update(dataset=[1]), 'ConcatDataset'),
    Case('a list of files', 'boxes', option('train_dataloader.dataset.ann_file', ['a', 'b']), 'must be one path'),
    Case('no such data set class', 'boxes', option('train_dataloader.dataset.type', 'CocoDatset'), 'no data set class'),
    Case('one class, right', 'maps', lambda draft: None, None),
    Case('classes as a list', 'boxes', metainfo(classes=list(CLASSES)), None),
    Case('classes from a file', 'boxes', classes_file, None),
    Case('a category without annotations', 'boxes', unused_category, None),
    Case('palette of right length', 'maps', metainfo(classes=CLASSES, palette=[[0, 0, 0], [1, 1, 1], [2, 2, 2]]), None),
    Case('right class weights', 'maps', option('model.decode_head.loss_decode.class_weight', [1, 1, 2]), None),
]
