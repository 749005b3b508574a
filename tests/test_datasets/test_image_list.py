import json
import os
import pickle
import random
import time

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from PIL import Image
from torch.utils.data import DataLoader

from mmssl_geo.datasets.image_list import ImageListDataset
from mmssl_geo.datasets.pipeline import Stage
from mmssl_geo.registry import DATASETS, TRANSFORMS
from mmssl_geo.utils.errors import UserError, worker_error_message


def write_images(folder, names, size=(4, 5)):
    """Image number i is filled with the grey value i."""
    for value, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((*size, 3), value, np.uint8)).save(path)


def names_of(dataset):
    return [dataset.names[i] for i in range(len(dataset))]


def test_scan_is_recursive_sorted_and_knows_endings_in_any_case(tmp_path):
    write_images(tmp_path / 'train2017', ['b/2.png', 'a.PNG', 'b/10.jpg', 'z.webp', 'b/c/d.tiff'])
    (tmp_path / 'train2017' / 'notes.txt').write_text('no image')
    (tmp_path / 'train2017' / '._a.png').write_text('left by a Mac')
    dataset = ImageListDataset(str(tmp_path), 'train2017/')
    assert names_of(dataset) == ['a.PNG', 'b/10.jpg', 'b/2.png', 'b/c/d.tiff', 'z.webp']
    assert dataset.path(2) == str(tmp_path / 'train2017/b/2.png')
    assert names_of(ImageListDataset(str(tmp_path), extensions=['.WEBP'])) == ['train2017/z.webp']


def test_loops_of_links_end_and_links_are_followed(tmp_path):
    write_images(tmp_path / 'data', ['a/1.png'])
    write_images(tmp_path / 'elsewhere', ['2.png'])
    (tmp_path / 'data/a/up').symlink_to(tmp_path / 'data', target_is_directory=True)
    (tmp_path / 'data/itself').symlink_to('itself')
    (tmp_path / 'data/linked').symlink_to(tmp_path / 'elsewhere', target_is_directory=True)
    (tmp_path / 'data/3.png').symlink_to(tmp_path / 'elsewhere/2.png')
    assert names_of(ImageListDataset(str(tmp_path / 'data'))) == ['3.png', 'a/1.png', 'linked/2.png']


def test_list_file(tmp_path):
    write_images(tmp_path / 'train', ['0.png', 'sub folder/1.png', 'é.png'])
    lines = ['\ufeff0.png', '', f'  {tmp_path}/train/0.png \r', 'sub folder/1.png', '\t', 'é.png']
    (tmp_path / 'list.txt').write_bytes('\n'.join(lines).encode())
    dataset = ImageListDataset(str(tmp_path), 'train', ann_file='list.txt')
    assert names_of(dataset) == ['0.png', f'{tmp_path}/train/0.png', 'sub folder/1.png', 'é.png']
    assert [int(dataset[i]['img'].max()) for i in range(4)] == [0, 0, 1, 2]


def test_coco_json(tmp_path):
    write_images(tmp_path / 'val2017', ['9.png', '1.png'])
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'annotations/val.json').write_text(
        json.dumps({'images': [{'id': 5, 'file_name': '9.png'}, {'id': 2, 'file_name': '1.png'}], 'annotations': []})
    )
    dataset = ImageListDataset(str(tmp_path), 'val2017/', ann_file='annotations/val.json')
    assert names_of(dataset) == ['9.png', '1.png']


@pytest.mark.parametrize(
    'ann_file, content, message',
    [
        ('list.txt', ' \n\r\n', r'list.txt names no image.*lines'),
        ('list.txt', 'gone/1.png\ngone/2.png\n', r'none of 2 images tried, of 2, .*gone/1.png: .*No such file'),
        ('coco.json', '{"images": []}', r'coco.json names no image.*file_name'),
        ('coco.json', '[1]', r'coco.json names no image'),
        ('coco.json', '{"images": [{"id": 1}]}', r'coco.json has an entry in "images" without a "file_name"'),
        ('coco.json', '{"images": ', r'coco.json is not valid json'),
        ('list.csv', 'a.png', r'must end in .txt'),
    ],
)
def test_bad_ann_file(tmp_path, ann_file, content, message):
    (tmp_path / ann_file).write_text(content)
    with pytest.raises(UserError, match=message):
        ImageListDataset(str(tmp_path), ann_file=ann_file)


def test_bad_folders(tmp_path):
    with pytest.raises(UserError, match=r'nowhere/ does not exist \(expected images ending in .jpg, .jpeg'):
        ImageListDataset(str(tmp_path / 'nowhere'))
    with pytest.raises(UserError, match=r'there is no image in .*images ending in .jpg, .jpeg.* data_root'):
        ImageListDataset(str(tmp_path))
    with pytest.raises(UserError, match='list.txt does not exist'):
        ImageListDataset(str(tmp_path), ann_file='list.txt')
    (tmp_path / 'a.jpg').write_text('not an image')
    with pytest.raises(UserError, match='none of 1 images tried, of 1, can be read.*a.jpg'):
        ImageListDataset(str(tmp_path))
    if os.getuid():  # root may list any folder
        (tmp_path / 'locked').mkdir(mode=0)
        with pytest.raises(UserError, match='locked cannot be listed'):
            ImageListDataset(str(tmp_path))


def test_sample_and_registries(tmp_path):
    write_images(tmp_path, [f'{i}.png' for i in range(4)])

    def shape(sample):
        return dict(sample, shape=sample['img'].shape)

    TRANSFORMS.register_module(name='AddOneForTest', module=AddOneForTest, force=True)
    with DefaultScope.overwrite_default_scope('mmengine'):
        dataset = DATASETS.build(
            dict(
                type='mmssl_geo.ImageListDataset',
                data_root=str(tmp_path),
                seed=7,
                pipeline=[dict(type='mmssl_geo.AddOneForTest'), shape],
            )
        )
    sample = dataset[2, 5]
    assert sample['img'].max() == 3 and sample['shape'] == (4, 5, 3)
    expected = dict(img_path=str(tmp_path / '2.png'), sample_idx=2, epoch=5, seed=7, unreadable='')
    assert {key: sample[key] for key in expected} == expected
    assert dataset[np.int64(1)]['epoch'] == 0
    assert len(list(dataset)) == 4
    for index in (4, -1, (4, 0)):
        with pytest.raises(IndexError):
            dataset[index]


class AddOneForTest:
    def __call__(self, sample):
        return dict(sample, img=sample['img'] + 1)


def test_unreadable_images_are_replaced_by_the_next_and_named(tmp_path):
    write_images(tmp_path, [f'{i}.png' for i in range(5)])
    for i in (1, 2, 4):
        (tmp_path / f'{i}.png').write_bytes(b'')
    dataset = ImageListDataset(str(tmp_path))
    assert [int(dataset[i]['img'].max()) for i in range(5)] == [0, 3, 3, 3, 0]
    sample = dataset[1, 3]
    assert (sample['sample_idx'], sample['epoch'], sample['img_path']) == (1, 3, str(tmp_path / '3.png'))
    lines = sample['unreadable'].split('\n')
    assert [line.split(': ')[0] for line in lines] == [str(tmp_path / '1.png'), str(tmp_path / '2.png')]
    assert dataset[0]['unreadable'] == ''


def test_sixty_four_unreadable_images_in_a_row_stop(tmp_path):
    write_images(tmp_path, [f'{i:03}.png' for i in range(66)])
    for i in range(1, 65):
        (tmp_path / f'{i:03}.png').write_bytes(b'')
    dataset = ImageListDataset(str(tmp_path))
    assert dataset[2]['img'].max() == 65  # 63 are passed over
    with pytest.raises(UserError, match=r'64 images in a row cannot be read.*001.png'):
        dataset[1]
    batches = iter(DataLoader(dataset, sampler=[1], num_workers=1, collate_fn=list))
    with pytest.raises(UserError) as caught:
        next(batches)
    batches._shutdown_workers()  # the traceback keeps them alive; left to the garbage collector they take 5 s
    assert worker_error_message(caught.value).startswith('64 images in a row')


def test_no_global_random_state_is_touched(tmp_path):
    write_images(tmp_path, ['0.png', '1.png'])
    (tmp_path / '1.png').write_bytes(b'')
    before = (torch.random.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist())
    ImageListDataset(str(tmp_path))[1, 4]
    assert before == (torch.random.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist())


def test_a_million_paths(tmp_path):
    write_images(tmp_path, ['train/0.png'])
    count = 10**6
    with open(tmp_path / 'list.txt', 'w') as file:
        file.writelines(f'train/class_{i % 1000:03}/image_{i:08}.jpg\n' for i in range(count - 1))
        file.write('train/0.png')
    begin = time.perf_counter()
    dataset = ImageListDataset(str(tmp_path), ann_file='list.txt')
    assert time.perf_counter() - begin < 20
    assert len(dataset) == count
    assert dataset.names[0] == 'train/class_000/image_00000000.jpg'
    assert dataset.names[123456] == 'train/class_456/image_00123456.jpg'
    assert dataset[count - 1]['img'].max() == 0
    characters = (tmp_path / 'list.txt').stat().st_size
    assert len(pickle.dumps(dataset)) < characters + 8 * count + 10_000  # the names and 8 bytes for each
    assert all(isinstance(part, np.ndarray) for part in vars(dataset.names).values())


def test_named_steps_run_in_their_stages_and_none_removes_one(tmp_path):
    write_images(tmp_path, ['a.png'])

    def step(name, stage):
        def append(sample):
            return dict(sample, steps=(*sample.get('steps', ()), name))

        append.stage = stage
        return append

    named = dict(third=step('third', Stage.TURN), first=step('first', Stage.CROP), second=None)
    assert ImageListDataset(str(tmp_path), pipeline=named)[0]['steps'] == ('first', 'third')
    with pytest.raises(KeyError):
        ImageListDataset(str(tmp_path), pipeline={})[0]['steps']
