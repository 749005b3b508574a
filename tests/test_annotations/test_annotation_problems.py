import json
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmssl_geo.annotations import annotation_problems
from mmssl_geo.benchmark.plan.configs import environment
from tests.support import ROOT
from tests.support.tiny_data.ade20k import write_ade20k
from tests.support.tiny_data.camvid import write_camvid
from tests.support.tiny_data.cityscapes import write_cityscapes
from tests.support.tiny_data.coco import write_coco
from tests.support.tiny_data.inat import write_inat
from tests.support.tiny_data.voc import write_voc

DETECT = 'mmdet/mask-rcnn_vits16_gtsa_fpn_1x_coco.py'
ADE20K = 'mmseg/semfpn_vits16_gtsa_40k_ade20k-512x512.py'
CAMVID = 'mmseg/semfpn_vitt16_small_camvid-360x480.py'
CITIES = 'mmseg/semfpn_vits16_gtsa_40k_cityscapes-768x768.py'
VOC_BOXES = 'mmdet/faster-rcnn_r50_d3ssl_c4_24k_voc0712.py'
VOC_MAPS = 'mmseg/fcn_r50_d3ssl_30k_voc12aug-513x513.py'
INAT = 'mmpretrain/finetune_vits16_gtsa_300e_inat19-224.py'
WRITERS = {
    DETECT: lambda root: write_coco(root, coco_names()),
    ADE20K: write_ade20k,
    CAMVID: write_camvid,
    CITIES: write_cityscapes,
    VOC_BOXES: write_voc,
    VOC_MAPS: write_voc,
    INAT: write_inat,
}


def coco_names():
    from mmdet.datasets import CocoDataset

    return CocoDataset.METAINFO['classes']


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    """Writes each data set once; `copy(config, to)` makes a copy to damage."""
    roots = {}

    def copy(config, to):
        writer = WRITERS[config]
        if writer not in roots:
            roots[writer] = tmp_path_factory.mktemp('data')
            writer(roots[writer])
        shutil.copytree(roots[writer], to)
        return to

    return copy


@pytest.fixture
def problems(written, tmp_path):
    """Problems of a config with tiny data of the true layout, after `damage(root)`."""

    def find(config, damage=lambda root: None, **options):
        root = written(config, tmp_path / 'root')
        damage(root)
        with environment(DATA_ROOT=str(root)):
            cfg = Config.fromfile(ROOT / 'configs' / 'downstream' / config)
        cfg.merge_from_dict(options)
        return [problem.replace(str(root), 'ROOT') for problem in annotation_problems(cfg)]

    return find


@pytest.mark.parametrize('config', [one for one in WRITERS if one != INAT])
def test_a_complete_data_set_has_no_problem(problems, config):
    assert problems(config) == []


def test_classes_of_images_are_compared_with_the_head(problems):
    six = {'model.head.num_classes': 6, 'model.head.loss.num_classes': 6, 'model.data_preprocessor.num_classes': 6}
    assert problems(INAT, **six) == []


def test_a_head_with_other_classes(problems):
    assert problems(INAT) == [
        'wrong class list: the model has 1010 classes (model.data_preprocessor.num_classes, model.head.num_classes, '
        'model.head.loss.num_classes), the data 6 (Birds_0, Birds_1, Birds_2, and 3 more); set num_classes=6 there, or '
        'metainfo classes'
    ]


def remove(*names):
    def damage(root):
        for name in names:
            path = root / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


@contextmanager
def opened(path):
    content = json.loads(path.read_text())
    yield content
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    'config, names, expected',
    [
        (
            DETECT,
            ['annotations/instances_val2017.json', 'train2017'],
            ['ROOT/train2017: no such folder', 'ROOT/annotations/instances_val2017.json: no such file'],
        ),
        (
            DETECT,
            ['train2017/000000000008.jpg'],
            ['1 of 2 images of ROOT/annotations/instances_train2017.json are missing: ROOT/train2017/000000000008.jpg'],
        ),
        (
            ADE20K,
            ['annotations/validation/ADE_val_00000001.png'],
            [
                '1 of 2 label maps in ROOT/annotations/validation are missing: '
                'ROOT/annotations/validation/ADE_val_00000001.png'
            ],
        ),
        (CITIES, ['gtFine/val'], ['ROOT/gtFine/val: no such folder']),
        (
            CITIES,
            ['gtFine/train/zurich/zurich_000001_000019_gtFine_labelTrainIds.png'],
            [
                '1 of 4 label maps in ROOT/gtFine/train are missing: '
                'ROOT/gtFine/train/zurich/zurich_000001_000019_gtFine_labelTrainIds.png'
            ],
        ),
        (
            VOC_BOXES,
            ['VOC2012/ImageSets/Main/trainval.txt', 'VOC2007/Annotations/2007_test_000001.xml'],
            [
                'ROOT/VOC2012/ImageSets/Main/trainval.txt: no such file',
                '1 of 2 annotations of ROOT/VOC2007/ImageSets/Main/test.txt are missing: '
                'ROOT/VOC2007/Annotations/2007_test_000001.xml',
            ],
        ),
        (VOC_MAPS, ['VOC2012/SegmentationClassAug'], ['ROOT/VOC2012/SegmentationClassAug: no such folder']),
        (
            CAMVID,
            ['labels', 'images/test'],
            [
                'ROOT/labels/train: no such folder',
                'ROOT/labels/val: no such folder',
                'ROOT/images/test: no such folder',
                'ROOT/labels/test: no such folder',
            ],
        ),
        (INAT, ['val2019.json', 'train_val2019/Plants'], None),
        (CAMVID, ['.'], ['ROOT: no such folder']),
    ],
)
def test_missing_files(problems, config, names, expected):
    found = problems(config, remove(*names))
    if config == INAT:
        assert 'ROOT/val2019.json: no such file' in found
        assert any(
            one.startswith('6 of 12 images of train2019.json are missing: ROOT/train_val2019/Plants/') for one in found
        )
    else:
        assert found == expected


def test_wrong_class_lists_of_annotations(problems):
    def damage(root):
        with opened(root / 'annotations' / 'instances_val2017.json') as content:
            content['categories'][0]['name'] = 'human'

    assert problems(DETECT, damage) == [
        "ROOT/annotations/instances_val2017.json: wrong class list: the file has no 'person'; the config has no "
        "'human'; name the metainfo classes as in the file"
    ]


@pytest.mark.parametrize(
    'change, sentence',
    [
        (lambda content: content.pop('annotations'), "not a COCO annotation file: has no 'annotations'"),
        (lambda content: content.update(annotations=[]), 'none of its images has an annotation'),
        (
            lambda content: [one.update(image_id=99) for one in content['annotations']],
            '6 of 6 annotations have image_ids that the file does not list, such as 99',
        ),
        (
            lambda content: content['annotations'][1].pop('segmentation'),
            '1 of 6 annotations have no segmentation, which the config reads: use a config without masks '
            '(faster-rcnn_*), or add masks',
        ),
    ],
)
def test_unusable_annotation_files(problems, change, sentence):
    def damage(root):
        with opened(root / 'annotations' / 'instances_train2017.json') as content:
            change(content)

    assert problems(DETECT, damage) == [f'ROOT/annotations/instances_train2017.json: {sentence}']


def test_wrong_class_list_of_voc(problems):
    def damage(root):
        path = root / 'VOC2007' / 'Annotations' / '2007_test_000001.xml'
        path.write_text(path.read_text().replace('aeroplane', 'zeppelin'))

    assert problems(VOC_BOXES, damage) == [
        "ROOT/VOC2007/Annotations: wrong class list: the config has no 'zeppelin'; add it, or set "
        'default_hooks.annotations.allow_subset=True to leave it out'
    ]


@pytest.mark.parametrize(
    'config, name, label, sentence',
    [
        (CAMVID, 'labels/val/1.png', 11, 'label 11; the config has 0 to 10, and 255 to ignore'),
        (CAMVID, 'labels/val/1.png', 10, None),
        (ADE20K, 'annotations/training/ADE_train_00000002.png', 151, 'label 151; the config has 0 to 150'),
        (
            CITIES,
            'gtFine/val/lindau/lindau_000000_000019_gtFine_labelTrainIds.png',
            19,
            'label 19; the config has 0 to 18',
        ),
    ],
)
def test_labels_out_of_range(problems, config, name, label, sentence):
    def damage(root):
        labels = np.array(Image.open(root / name))
        labels[5, 7] = label
        Image.fromarray(labels).save(root / name)

    found = problems(config, damage)
    assert len(found) == (sentence is not None)
    assert sentence is None or found[0].startswith(f'ROOT/{name}: wrong class list: {sentence}')


def test_files_of_another_kind(problems):
    def damage(root):
        Image.new('RGB', (96, 64)).save(root / 'labels' / 'train' / '0.png')
        (root / 'labels' / 'test' / '1.png').write_text('not an image')

    found = problems(CAMVID, damage)
    assert found[0] == (
        'ROOT/labels/train/0.png: a colour image (RGB), not a map of class indices: convert the colours to indices'
    )
    assert found[1].startswith('ROOT/labels/test/1.png: not readable')


def test_a_file_that_is_not_an_annotation_file(problems):
    found = problems(DETECT, lambda root: (root / 'annotations/instances_train2017.json').write_text('{"images": []}'))
    assert found == ["ROOT/annotations/instances_train2017.json: not a COCO annotation file: has no 'annotations'"]
