"""Tar shards, the cache of decoded images and reduced-size decoding: views do not depend on them."""

import argparse
import os
import shutil
import tarfile

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from torch.utils.data import DataLoader

from mmssl_geo.datasets import (
    ImageListDataset,
    MultiCrop,
    MultiViewPhotometricAugmentation,
    PackViews,
    RandomQuarterTurns,
)
from mmssl_geo.datasets.image_cache import ImageCache
from mmssl_geo.datasets.image_reading import read_rgb
from mmssl_geo.utils.config import CfgOptionsAction
from mmssl_geo.utils.errors import UserError


def picture(seed, size):
    """Smooth noise with some grain."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    image = np.array(coarse.resize(size, Image.Resampling.BICUBIC), int) + rng.integers(-8, 9, (size[1], size[0], 3))
    return Image.fromarray(image.clip(0, 255).astype(np.uint8))


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / 'photos'
    folder.mkdir()
    for number in range(5):
        picture(number, (70 + number, 50)).save(folder / f'{number}.jpg', quality=92)
    return folder


def dataset(folder, **settings):
    pipeline = [
        MultiCrop(global_size=32, local_size=16, num_local=3),
        MultiViewPhotometricAugmentation(),
        RandomQuarterTurns(),
        PackViews(),
    ]
    return ImageListDataset(str(folder), pipeline=pipeline, seed=3, **settings)


def assert_same_views(one, other):
    assert len(one) == len(other)
    for index in range(len(one)):
        for epoch in range(2):
            first, second = one[index, epoch], other[index, epoch]
            for kind in ('global', 'local'):
                assert torch.equal(first['inputs'][kind], second['inputs'][kind])
            assert torch.equal(first['crop_boxes_src'], second['crop_boxes_src'])


def write_tars(photos, folder, splits=((0, 1, 2), (3, 4))):
    for number, split in enumerate(splits):
        with tarfile.open(folder / f'train-{number}.tar', 'w') as tar:
            for name in split:
                tar.add(photos / f'{name}.jpg', f'sub/{name}.JPG')
                (folder / 'text').write_text('no image')
                tar.add(folder / 'text', f'sub/{name}.txt')


def test_images_in_tar_files_give_the_views_of_single_files(photos, tmp_path):
    write_tars(photos, tmp_path)
    tars = dataset(tmp_path, ann_file='train-*.tar')
    assert [tars.names[i] for i in (0, 4)] == ['train-0.tar/sub/0.JPG', 'train-1.tar/sub/4.JPG']
    assert tars.path(4) == str(tmp_path / 'train-1.tar/sub/4.JPG')
    assert_same_views(tars, dataset(photos))
    loader = DataLoader(tars, 5, sampler=[4, 0, 3, 1, 2], num_workers=1)
    assert torch.equal(next(iter(loader))['turns'], torch.stack([dataset(photos)[i]['turns'] for i in (4, 0, 3, 1, 2)]))


def test_a_broken_image_in_a_tar_file_is_passed_over_and_named(photos, tmp_path):
    (photos / '1.jpg').write_bytes(b'no image')
    write_tars(photos, tmp_path)
    sample = dataset(tmp_path, ann_file='train-0.tar')[1]
    assert sample['unreadable'].startswith(str(tmp_path / 'train-0.tar/sub/1.JPG: '))
    assert sample['img_path'].endswith('2.JPG')


@pytest.mark.parametrize(
    'content, message',
    [
        (None, r'there is no tar file .*train-\*.tar'),
        (b'x' * 2000, 'train-0.tar is not a complete, uncompressed tar file'),
        (b'\0' * 10240, 'there is no image in'),
    ],
)
def test_bad_tar_files(tmp_path, content, message):
    if content is not None:
        (tmp_path / 'train-0.tar').write_bytes(content)
    with pytest.raises(UserError, match=message):
        dataset(tmp_path, ann_file='train-*.tar')


def test_cut_off_tar_file(photos, tmp_path):
    write_tars(photos, tmp_path)
    whole = (tmp_path / 'train-1.tar').read_bytes()
    (tmp_path / 'train-1.tar').write_bytes(whole[:2000])
    with pytest.raises(UserError, match='train-1.tar is not a complete'):
        dataset(tmp_path, ann_file='train-*.tar')


def test_cached_images_give_bitwise_the_same_views(photos, tmp_path, monkeypatch):
    plain, cached = dataset(photos), dataset(photos, cache=dict(folder=str(tmp_path / 'cache'), max_gb=1))
    assert_same_views(plain, cached)  # epoch 0 stores, epoch 1 finds
    assert len(list((tmp_path / 'cache').glob('*.npy'))) == 5
    expected = plain[2]['inputs']['global']
    monkeypatch.setattr('mmssl_geo.datasets.image_list.read_rgb', None)  # nothing is decoded any more
    assert torch.equal(cached[2]['inputs']['global'], expected)


def test_a_changed_file_is_decoded_anew(photos, tmp_path):
    cached = dataset(photos, cache=dict(folder=str(tmp_path / 'cache'), max_gb=1))
    before = cached[0]['inputs']['global']
    picture(99, (70, 50)).save(photos / '0.jpg', quality=80)
    after = cached[0]['inputs']['global']
    assert not torch.equal(before, after) and torch.equal(after, dataset(photos)[0]['inputs']['global'])


def test_a_missing_file_is_named_with_a_cache_too(photos, tmp_path):
    cached = dataset(photos, cache=dict(folder=str(tmp_path / 'cache'), max_gb=1))
    (photos / '0.jpg').unlink()
    assert '0.jpg: No such file' in cached[0]['unreadable']


def test_the_cache_keeps_its_size(tmp_path):
    cache = ImageCache(str(tmp_path / 'cache'), max_gb=4 * 2**16 / 1e9)  # four blocks
    images = [np.full((100, 200, 3), level, np.uint8) for level in range(6)]  # 60 kB each: a block
    for level, image in enumerate(images):
        cache.put(image, 'image', level)
    found = [cache.get('image', level) for level in range(6)]
    assert [image is not None for image in found] == [True] * 4 + [False] * 2
    assert all((a == b).all() for a, b in zip(found[:4], images, strict=False))
    another = ImageCache(str(tmp_path / 'cache'), max_gb=4 * 2**16 / 1e9)  # another process: it is full for it too
    another.put(images[5], 'image', 5)
    assert another.get('image', 5) is None and another.get('image', 0) is not None


def test_a_damaged_entry_is_written_anew(photos, tmp_path):
    expected, cache = dataset(photos), dict(folder=str(tmp_path / 'cache'), max_gb=1)
    assert_same_views(expected, dataset(photos, cache=cache))
    cut, empty, *_ = sorted((tmp_path / 'cache').glob('*.npy'))
    whole = cut.stat().st_size
    os.truncate(cut, 1000)
    os.truncate(empty, 0)
    assert_same_views(expected, dataset(photos, cache=cache))
    assert cut.stat().st_size == whole and empty.stat().st_size > 1000


def test_a_disk_that_takes_no_more_ends_the_storing_only(photos, tmp_path, monkeypatch):
    expected, cached = dataset(photos), dataset(photos, cache=dict(folder=str(tmp_path / 'cache'), max_gb=1))
    save, calls = np.save, []

    def full(file, image):
        calls.append(image)
        save(file, image[:10])
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('mmssl_geo.datasets.image_cache.np.save', full)
    assert_same_views(expected, cached)
    assert len(calls) == 1 and [path.name for path in (tmp_path / 'cache').iterdir()] == ['blocks']


def test_a_cache_that_is_deleted_under_a_run_is_named_once(photos, tmp_path, monkeypatch):
    expected, cached = dataset(photos), dataset(photos, cache=dict(folder=str(tmp_path / 'cache'), max_gb=1))
    said = []
    monkeypatch.setattr('mmssl_geo.datasets.image_cache.print_log', lambda text, *_: said.append(text))
    shutil.rmtree(tmp_path / 'cache')
    assert_same_views(expected, cached)
    assert len(said) == 1 and 'cache is disabled (No such file or directory)' in said[0]


def test_of_two_writers_one_pays(tmp_path):
    """Both have found nothing and decoded the same image."""
    caches = [ImageCache(str(tmp_path / 'cache'), max_gb=2 * 2**16 / 1e9) for _ in range(2)]
    image = np.zeros((100, 200, 3), np.uint8)  # a block
    for cache in caches:
        cache.put(image, 'same')
    assert (tmp_path / 'cache' / 'blocks').stat().st_size == 1
    caches[0].put(image, 'other')
    assert caches[1].get('other') is not None


def test_a_shard_that_vanishes_is_named(photos, tmp_path):
    write_tars(photos, tmp_path)
    tars = dataset(tmp_path, ann_file='train-*.tar')
    (tmp_path / 'train-1.tar').unlink()
    assert 'train-1.tar/sub/4.JPG: No such file' in tars[4]['unreadable']


def test_a_cache_is_asked_for_part_by_part():
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptionsAction)
    cfg = Config(dict(dataset=dict(seed=1)))
    options = ['dataset.cache.folder=/a', 'dataset.cache.max_gb=2']
    cfg.merge_from_dict(parser.parse_args(['--cfg-options', *options]).cfg_options)
    assert cfg.dataset == dict(cache=dict(folder='/a', max_gb=2), seed=1)


def test_a_dict_on_the_command_line_is_a_usage_error(capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptionsAction)
    with pytest.raises(SystemExit):
        parser.parse_args(['--cfg-options', "cache=dict(folder='a', max_gb=1)"])
    assert 'give the items of a dict one by one' in capsys.readouterr().err


@pytest.mark.parametrize('size', ['abc', None, -1])
def test_sizes_of_the_cache(size, tmp_path):
    with pytest.raises(UserError, match='dataset.cache.max_gb must be a positive number'):
        ImageCache(str(tmp_path), size)


def test_impossible_caches(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='max_gb must be a positive'):
        ImageCache(str(tmp_path / 'cache'), 0)
    with pytest.raises(UserError, match=r'cannot be created .*dataset.cache.folder'):
        ImageCache(str(tmp_path / 'file' / 'cache'), 1)


@pytest.mark.parametrize(
    'size, factor',
    [((480, 640), 1), ((1400, 1400), 2), ((2600, 2500), 4), ((9000, 9000), 8), ((100, 9000), 1), ((1000, 1000), 1)],
)
def test_how_much_smaller_an_image_may_be_read(size, factor):
    """The smallest global crop, 0.3 of the area at 3 : 4, has to be 1.25 times as large as its view."""
    crop = MultiCrop()
    assert crop.largest_reduction(*size) == factor
    if factor > 1:
        smallest = (size[0] * size[1] * 0.3 * 0.75) ** 0.5 / factor
        assert 1.25 * 224 <= smallest < 2 * 1.25 * 224 or factor == 8
    assert MultiCrop(local_scale=(0.001, 0.3)).largest_reduction(2600, 2500) == 1


def test_reduced_decoding_changes_views_by_less_than_a_grey_level(tmp_path):
    folder = tmp_path / 'large'
    folder.mkdir()
    picture(0, (400, 300)).save(folder / '0.jpg', quality=92)
    crop = MultiCrop(global_size=32, local_size=16, num_local=3)
    reduced = ImageListDataset(str(folder), pipeline=[crop])
    full = ImageListDataset(str(folder), pipeline=[crop], reduced_decoding=False)
    factor = crop.largest_reduction(300, 400)
    assert factor == 4 and reduced[0]['img'].shape == (75, 100, 3) and full[0]['img'].shape == (300, 400, 3)
    image = torch.from_numpy(full[0]['img']).permute(2, 0, 1)[None]
    for view, record in reduced[0]['views']:
        same = crop._cut(image, [factor * value for value in record.crop_box_src], record.size[0])
        assert np.abs(same.astype(int) - view).mean() < 1


def test_reduced_pngs_are_read_whole(tmp_path):
    picture(0, (400, 300)).save(tmp_path / '0.png')
    assert read_rgb(str(tmp_path / '0.png'), reduction=lambda height, width: 4).shape == (300, 400, 3)
    picture(0, (401, 303)).save(tmp_path / '0.jpg')
    assert read_rgb(str(tmp_path / '0.jpg'), reduction=lambda height, width: 4).shape == (76, 101, 3)


def test_memory_of_a_worker_stays_flat(photos):
    """Resident memory after many samples, in pages, read from the system."""

    def resident():
        with open('/proc/self/statm') as file:
            return int(file.read().split()[1])

    pipeline = [
        MultiCrop(global_size=96, num_local=0),
        MultiViewPhotometricAugmentation(),
        RandomQuarterTurns(),
        PackViews(),
    ]
    views = ImageListDataset(str(photos), pipeline=pipeline)
    for index in range(60):
        views[index % 5, index]
    before = resident()
    for index in range(150):
        views[index % 5, index]
    assert resident() - before < 1000  # 4 MB; samples that are kept would be 8 MB
