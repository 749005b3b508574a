import json

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from mmssl_geo.datatools.scenes import CLASSES, SceneOptions, make_scene, write_scenes
from mmssl_geo.utils.errors import UserError

OPTIONS = SceneOptions(size=80, seed=7, classes=4, objects=(3, 6), radius=(0.08, 0.25))


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp('scenes') / 'a'
    write_scenes(out, OPTIONS, 8, 4)
    return out


def bytes_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob('*')) if p.is_file()}


def test_bytes_depend_on_the_seed_and_not_on_workers_or_number(written, tmp_path):
    write_scenes(tmp_path / 'two', OPTIONS, 8, 4, workers=2)
    assert bytes_of(tmp_path / 'two') == bytes_of(written)
    write_scenes(tmp_path / 'fewer', OPTIONS, 3)
    fewer = {name: content for name, content in bytes_of(tmp_path / 'fewer').items() if not name.endswith('.json')}
    assert len(fewer) == 6 and fewer.items() <= bytes_of(written).items()
    write_scenes(tmp_path / 'seed', SceneOptions(**{**OPTIONS.__dict__, 'seed': 8}), 8, 4)
    other, first = bytes_of(tmp_path / 'seed'), bytes_of(written)
    assert other.keys() == first.keys() and all(other[name] != first[name] for name in first if 'images' in name)


def test_splits_share_no_image(written):
    files = [content for name, content in bytes_of(written).items() if name.startswith('images')]
    assert len(files) == len(set(files)) == 12


@pytest.mark.parametrize('split, number, count', [('train', 0, 8), ('val', 1, 4)])
def test_masks_boxes_and_semantic_maps_agree_pixel_by_pixel(written, split, number, count):
    coco = COCO(str(written / 'annotations' / f'instances_{split}.json'))
    assert [c['name'] for c in coco.loadCats([1, 2, 3, 4])] == list(CLASSES[:4])
    assert len(coco.imgs) == count
    for index, (image_id, info) in enumerate(coco.imgs.items()):
        scene = make_scene(OPTIONS, number, index)
        photo = np.asarray(Image.open(written / 'images' / split / info['file_name'])).astype(int)
        assert photo.shape == (info['height'], info['width'], 3)
        assert np.abs(photo - scene.image).mean() < 8  # JPEG
        semantic = Image.open(written / 'semantic' / split / info['file_name'].replace('.jpg', '.png'))
        assert semantic.mode == 'L'
        rebuilt = np.zeros(photo.shape[:2], np.uint8)
        for annotation in coco.imgToAnns[image_id]:
            mask = coco.annToMask(annotation).astype(bool)
            assert not rebuilt[mask].any()  # visible parts do not overlap
            rebuilt[mask] = annotation['category_id']
            rows, columns = np.nonzero(mask)
            assert annotation['area'] == len(rows) and annotation['iscrowd'] == 0
            x, y, width, height = annotation['bbox']
            assert [x, y] == [columns.min(), rows.min()]
            assert [x + width, y + height] == [columns.max() + 1, rows.max() + 1]  # half-open
        np.testing.assert_array_equal(rebuilt, np.asarray(semantic))
        np.testing.assert_array_equal(rebuilt, scene.semantic)


def test_every_class_is_there_and_annotation_ids_are_unique(written):
    for split in ('train', 'val'):
        content = json.loads((written / 'annotations' / f'instances_{split}.json').read_text())
        assert {a['category_id'] for a in content['annotations']} == {1, 2, 3, 4}
        ids = [a['id'] for a in content['annotations']]
        assert len(ids) == len(set(ids)) and min(ids) == 1
    settings = json.loads((written / 'scenes.json').read_text())
    assert settings['class_ids'] == dict(background=0, ball=1, crate=2, tent=3, star=4)
    assert settings['complete'] and settings['seed'] == 7 and settings['num_val'] == 4


def test_an_earlier_output_is_replaced_without_leftovers(tmp_path):
    write_scenes(tmp_path, OPTIONS, 3, 1)
    write_scenes(tmp_path, OPTIONS, 2)
    assert sorted(bytes_of(tmp_path)) == [
        'annotations/instances_train.json',
        'images/train/000000.jpg',
        'images/train/000001.jpg',
        'scenes.json',
        'semantic/train/000000.png',
        'semantic/train/000001.png',
    ]


def test_a_strange_folder_is_left_alone_unless_told(tmp_path):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'images' / 'mine.jpg').write_text('photo')
    (tmp_path / 'notes.txt').write_text('text')
    before = bytes_of(tmp_path)
    with pytest.raises(UserError, match='not empty and was not written by this tool'):
        write_scenes(tmp_path, OPTIONS, 1)
    assert bytes_of(tmp_path) == before
    write_scenes(tmp_path, OPTIONS, 1, overwrite=True)
    after = bytes_of(tmp_path)
    assert 'images/mine.jpg' not in after and after['notes.txt'] == b'text' and 'images/train/000000.jpg' in after


@pytest.mark.parametrize(
    'numbers, sentence',
    [
        (dict(num_train=0), '0 training and 0 validation'),
        (dict(num_train=1, num_val=-1), '-1 validation'),
        (dict(num_train=1, workers=-1), 'workers is -1'),
    ],
)
def test_impossible_numbers_are_refused_before_anything_is_written(tmp_path, numbers, sentence):
    with pytest.raises(UserError, match=sentence):
        write_scenes(tmp_path / 'out', OPTIONS, **numbers)
    assert not (tmp_path / 'out').exists()


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='file is a file; pass a folder'):
        write_scenes(tmp_path / 'file', OPTIONS, 1)
    with pytest.raises(UserError, match='cannot write scenes to .*: Not a directory'):
        write_scenes(tmp_path / 'file' / 'out', OPTIONS, 1)
