import json

import numpy as np
import pytest
from PIL import Image

from mmssl_geo.datasets import INaturalist
from mmssl_geo.registry import DATASETS
from mmssl_geo.utils.errors import UserError
from tests.support.tiny_data.inat import write_inat


@pytest.fixture
def root(tmp_path):
    return write_inat(tmp_path, num_categories=4, images_per_category=2)


def read(root, split='train'):
    return INaturalist(ann_file=f'{split}2019.json', data_root=str(root))


def edit(root, change):
    path = root / 'train2019.json'
    content = json.loads(path.read_text())
    path.write_text(json.dumps(change(content) or content))


def test_labels_follow_the_sorted_ids(root):
    data = read(root)
    assert data.CLASSES == ('Birds_0', 'Birds_1', 'Plants_2', 'Plants_3') and len(data) == 8
    entries = [data.get_data_info(i) for i in range(8)]
    assert [entry['gt_label'] for entry in entries] == [0, 0, 1, 1, 2, 2, 3, 3]
    for entry in entries:
        kind, number = entry['img_path'].removeprefix(f'{root}/train_val2019/').split('/')[:2]
        assert data.CLASSES[entry['gt_label']] == f'{kind}_{number}'
        assert np.asarray(Image.open(entry['img_path'])).shape == (64, 96, 3)
    val = read(root, 'val')
    assert [val.get_data_info(i)['gt_label'] for i in range(4)] == [0, 1, 2, 3]
    paths = {data.get_data_info(i)['img_path'] for i in range(8)} | {val.get_data_info(i)['img_path'] for i in range(4)}
    assert len(paths) == 12


def test_ids_need_not_be_dense_nor_annotations_in_order(root):
    def change(content):
        for entry in content['categories']:
            entry['id'] = 10 * entry['id'] + 3
        for entry in content['annotations']:
            entry['category_id'] = 10 * entry['category_id'] + 3
        content['annotations'].reverse()

    before = [read(root).get_data_info(i) for i in range(8)]
    edit(root, change)
    after = [read(root).get_data_info(i) for i in range(8)]
    assert after == before and read(root).CLASSES[1] == 'Birds_1'


def test_registered():
    assert DATASETS.get('mmssl_geo.INaturalist') is INaturalist


def drop_one(content):
    content['annotations'].pop(2)


def forget_category(content):
    content['categories'].pop(0)


def no_label_list(content):
    del content['annotations']


def no_images(content):
    content['images'] = []


def no_file_names(content):
    del content['images'][5]['file_name']


@pytest.mark.parametrize(
    'change, message',
    [
        (no_images, r'train2019\.json: it names no image'),
        (drop_one, r'train2019\.json: 1 of 8 images have no annotation \(the first: train_val2019/Birds/1/'),
        (forget_category, r'categories that are not listed: \[3\]'),
        (
            no_label_list,
            r'needs a list `annotations` of entries with category_id, image_id; .*test split has no labels',
        ),
        (no_file_names, r'needs a list `images` of entries with file_name, id'),
        (lambda content: [content], 'needs a list `images`'),
    ],
)
def test_wrong_files_are_named(root, change, message):
    edit(root, change)
    with pytest.raises(UserError, match=message):
        read(root)


def test_no_json(root):
    (root / 'train2019.json').write_text('{')
    with pytest.raises(UserError, match='train2019.json: cannot be read as json'):
        read(root)
