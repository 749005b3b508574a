"""Small labelled data sets with their configs, to be damaged before they are checked."""

import json
import shutil
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from mmengine.config import Config
from PIL import Image

from mmssl_geo.benchmark.plan.configs import environment
from tests.support import ROOT
from tests.support.tiny_data import draw_photo, two_boxes, write_labels
from tests.support.tiny_data.voc import write_voc

CLASSES = ('gear', 'bolt', 'washer')
SIZE = (64, 96)
CONFIGS = {
    'boxes': 'mmdet/faster-rcnn_vitt16_small_coco-style.py',
    'masks': 'mmdet/mask-rcnn_vitt16_small_coco-style.py',
    'voc': 'mmdet/faster-rcnn_r50_d3ssl_c4_24k_voc0712.py',
    'maps': 'mmseg/semfpn_vitt16_small_camvid-360x480.py',
    'ade': 'mmseg/semfpn_vits16_gtsa_40k_ade20k-512x512.py',
    'folders': 'mmpretrain/linear_vits16_frozen_100e_imagenet-224.py',
    'list': 'mmpretrain/linear_vits16_frozen_100e_imagenet-224.py',
}
SPLITS = {'train': 3, 'val': 2}
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


@dataclass
class Draft:
    """A data set in a folder and the config that uses it.

    Attributes:
        root: Folder of the data.
        cfg: Config; everything fits until it is damaged.
        coco: Contents of the COCO annotation files, by split; written when the damage is done.
    """

    root: Path
    cfg: Config
    coco: dict[str, dict] = field(default_factory=dict)

    def json_path(self, split='train'):
        return self.root / 'annotations' / f'instances_{split}2017.json'

    def image(self, split='train', number=0):
        return self.root / f'{split}2017' / f'{number}.jpg'

    def label_map(self, split='train', number=0):
        return self.root / 'labels' / split / f'{number}.png'

    def write_text(self, text, split='train'):
        """Replaces an annotation file by this text or these bytes."""
        self.coco.pop(split)
        self.json_path(split).write_bytes(text if isinstance(text, bytes) else text.encode())

    def datasets(self):
        """The configs of the data sets of the three loaders, without duplicates."""
        return list({id(self.cfg[loader].dataset): self.cfg[loader].dataset for loader in LOADERS}.values())

    def set_metainfo(self, metainfo, *splits):
        for loader in splits or ('train', 'val', 'test'):
            self.cfg[f'{loader}_dataloader'].dataset['metainfo'] = metainfo

    def finish(self):
        for split, content in self.coco.items():
            self.json_path(split).write_text(json.dumps(content))
        return self


@dataclass(frozen=True)
class Case:
    """A damaged data set.

    Attributes:
        name: Name of the case.
        kind: Key of `CONFIGS`.
        damage: Changes a draft.
        message: A part of the expected message; None if the data set is valid.
    """

    name: str
    kind: str
    damage: Callable[[Draft], object]
    message: str | None


def make_draft(case: Case, templates: Path, to: Path) -> Draft:
    """Writes the data set of a case into `to`; undamaged data sets are written once, into `templates`."""
    template = templates / case.kind
    if not template.exists():
        WRITERS[case.kind](template)
    shutil.copytree(template, to)
    draft = Draft(to, _config(case.kind, to))
    if case.kind in ('boxes', 'masks'):
        draft.coco = {split: json.loads(draft.json_path(split).read_text()) for split in SPLITS}
    case.damage(draft)
    return draft.finish()


@cache
def _shipped(kind):
    with environment(DATA_ROOT='DATA-ROOT'):
        return Config.fromfile(ROOT / 'configs' / 'downstream' / CONFIGS[kind])


def _with_root(value, root):
    if isinstance(value, dict):
        return {key: _with_root(one, root) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_with_root(one, root) for one in value)
    return value.replace('DATA-ROOT', root) if isinstance(value, str) else value


def _config(kind, root):
    cfg = Config(_with_root(_shipped(kind).to_dict(), str(root)))
    for loader in LOADERS:
        cfg[loader] = deepcopy(cfg[loader])
    if kind in ('boxes', 'masks'):
        cfg.model.roi_head.bbox_head.num_classes = len(CLASSES)
        if kind == 'masks':
            cfg.model.roi_head.mask_head.num_classes = len(CLASSES)
    elif kind == 'maps':
        cfg.model.decode_head.num_classes = len(CLASSES)
        cfg.test_dataloader = deepcopy(cfg.val_dataloader)
    elif kind in ('folders', 'list'):
        cfg.model.head.num_classes = cfg.model.data_preprocessor.num_classes = len(CLASSES)
        for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
            evaluator.topk = (1,)
        if kind == 'list':
            for split in ('train', 'val', 'test'):
                cfg[f'{split}_dataloader'].dataset.ann_file = 'train.txt' if split == 'train' else 'val.txt'
                cfg[f'{split}_dataloader'].dataset.data_prefix = 'images'
    if kind not in ('voc', 'ade', 'folders'):
        for loader in LOADERS:
            cfg[loader].dataset.metainfo = dict(classes=CLASSES)
    return cfg


def _write_coco(root, masks):
    boxes = two_boxes(SIZE)
    for split, count in SPLITS.items():
        images, annotations = [], []
        for number in range(count):
            draw_photo(root / f'{split}2017' / f'{number}.jpg', boxes, SIZE, np.random.default_rng(number))
            images.append(dict(id=number + 1, file_name=f'{number}.jpg', height=SIZE[0], width=SIZE[1]))
            for index, (x1, y1, x2, y2) in enumerate(boxes):
                one = dict(
                    id=len(annotations) + 1,
                    image_id=number + 1,
                    category_id=5 + (number + index) % 3,
                    bbox=[x1, y1, x2 - x1, y2 - y1],
                    area=(x2 - x1) * (y2 - y1),
                    iscrowd=0,
                )
                if masks:
                    one['segmentation'] = [[x1, y1, x2, y1, x2, y2, x1, y2]]
                annotations.append(one)
        categories = [dict(id=5 + index, name=name) for index, name in enumerate(CLASSES)]
        path = root / 'annotations' / f'instances_{split}2017.json'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))


def three_stripes(size=SIZE):
    """A label map `(H, W)` of the classes 0, 1 and 2, with some ignored rows."""
    labels = np.repeat(np.arange(3, dtype=np.uint8), size[1] // 3)[None].repeat(size[0], axis=0).copy()
    labels[:2] = 255
    return labels


def _write_maps(root):
    for split, count in SPLITS.items():
        for number in range(count):
            draw_photo(root / 'images' / split / f'{number}.jpg', [], SIZE, np.random.default_rng(number))
            write_labels(root / 'labels' / split / f'{number}.png', three_stripes())


def _write_ade(root):
    for split in ('training', 'validation'):
        draw_photo(root / 'images' / split / 'a.jpg', [], SIZE, np.random.default_rng(0))
        write_labels(root / 'annotations' / split / 'a.png', np.where(three_stripes() == 255, 0, three_stripes() + 1))


def _write_folders(root):
    for split, count in SPLITS.items():
        for name in CLASSES:
            for number in range(count):
                draw_photo(root / split / name / f'{number}.png', [], (24, 24), np.random.default_rng(number))


def _write_list(root):
    for split, count in SPLITS.items():
        lines = []
        for label, name in enumerate(CLASSES):
            for number in range(count):
                path = f'{split}/{name}_{number}.png'
                draw_photo(root / 'images' / path, [], (24, 24), np.random.default_rng(number))
                lines.append(f'{path} {label}')
        (root / f'{split}.txt').write_text('\n'.join(lines) + '\n')


def save_image(path, *size, mode='RGB', value=0, **options):
    """Writes a constant image of (height, width)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size[::-1], value).save(path, **options)


WRITERS = {
    'boxes': lambda root: _write_coco(root, masks=False),
    'masks': lambda root: _write_coco(root, masks=True),
    'voc': write_voc,
    'maps': _write_maps,
    'ade': _write_ade,
    'folders': _write_folders,
    'list': _write_list,
}
