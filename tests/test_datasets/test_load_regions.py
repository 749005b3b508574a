import logging

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

from mmssl_geo.datasets.image_list import ImageListDataset
from mmssl_geo.datasets.regions_file import write_regions
from mmssl_geo.datasets.transforms import GridRegions, LoadRegions
from mmssl_geo.datasets.transforms.load_regions import fit_regions
from mmssl_geo.geometry import grid_boxes
from mmssl_geo.utils.errors import UserError


def sample(size=(30, 40), **keys):
    return dict(img=np.zeros((*size, 3), np.uint8), **{**dict(seed=1, epoch=2, sample_idx=3, image_idx=0), **keys})


@pytest.fixture
def data(tmp_path):
    """Four images of 30 x 40 pixels, and proposals of which the second one has none."""
    (tmp_path / 'train').mkdir()
    for i in range(4):
        Image.fromarray(np.full((30, 40, 3), i, np.uint8)).save(tmp_path / f'train/{i}.png')
    regions = [[0, 0, 40, 30], [5, 6, 7, 8], [0, 1, 2, 3], [0, 0, 3, 3]]
    write_regions(
        tmp_path / 'p.safetensors',
        [b'0.png', b'1.png', b'2.png', b'3.png'],
        [(30, 40)] * 4,
        [2, 0, 1, 1],
        np.array(regions),
        {},
    )
    return tmp_path


def load(data, **options):
    return ImageListDataset(
        str(data), 'train', pipeline=[dict(type='mmssl_geo.LoadRegions', file=str(data / 'p.safetensors'), **options)]
    )


def test_regions_of_every_image_and_the_grid_where_there_is_none(data):
    dataset = load(data)
    assert [dataset[i]['regions_fallback'] for i in range(4)] == [False, True, False, False]
    assert dataset[0]['regions'].tolist() == [[0, 0, 40, 30], [5, 6, 7, 8]]
    assert dataset[3]['regions'].tolist() == [[0, 0, 3, 3]]
    drawn = dataset[1]['regions']
    assert drawn.shape == (9, 4) and drawn.dtype == dataset[0]['regions'].dtype == np.float32
    assert np.array_equal(drawn, dataset[1]['regions']) and not np.array_equal(drawn, dataset[1, 1]['regions'])
    finer = load(data, grid=dict(grid=4))
    assert finer[1]['regions'].shape == (16, 4) and finer[1]['regions_fallback']


def test_names_are_matched_not_positions(data):
    (data / 'list.txt').write_text('3.png\n2.png\n')
    dataset = ImageListDataset(
        str(data), 'train', ann_file='list.txt', pipeline=[LoadRegions(str(data / 'p.safetensors'))]
    )
    assert [dataset[i]['regions'].tolist() for i in (0, 1)] == [[[0, 0, 3, 3]], [[0, 1, 2, 3]]]


def test_an_image_that_stands_in_for_an_unreadable_one_brings_its_own_regions(data):
    dataset = load(data)
    (data / 'train/2.png').write_bytes(b'')
    shown = dataset[2]
    assert shown['image_idx'] == 3 and shown['sample_idx'] == 2
    assert shown['regions'].tolist() == [[0, 0, 3, 3]]


@pytest.mark.parametrize('start', ['fork', 'spawn'])
def test_workers_give_the_same(data, start):
    dataset = load(data)
    loaded = DataLoader(dataset, num_workers=1, collate_fn=list, multiprocessing_context=start)
    for (there,), here in zip(loaded, dataset, strict=True):
        assert np.array_equal(there['regions'], here['regions'])


def test_a_file_that_does_not_match_is_found_when_the_dataset_is_built(data):
    (data / 'train/3.png').rename(data / 'train/renamed.png')
    with pytest.raises(
        UserError,
        match=r'1 of 4 images have no entry in it \(renamed.png\).*1 of its 4 entries belong '
        r'to no image \(3.png\).*renamed or moved.*max_missing=0.01',
    ):
        load(data)
    dataset = load(data, max_missing=0.25)
    assert dataset[3]['regions_fallback'] and not dataset[2]['regions_fallback']


def test_what_does_not_match_is_logged_and_what_does_too(data, monkeypatch):
    logged = []
    monkeypatch.setattr(
        'mmssl_geo.datasets.transforms.load_regions.print_log',
        lambda message, logger, level: logged.append((level, message)),
    )
    load(data)
    (data / 'train/1.png').unlink()
    load(data)
    (data / 'train/9.png').write_bytes((data / 'train/0.png').read_bytes())
    load(data, max_missing=0.3)
    (level, first), (_, second), (_, third) = logged
    assert level == logging.WARNING and '1 of 4 images have an entry without a region' in first
    assert '1 of its 4 entries belong to no image (1.png)' in second
    assert '1 of 4 images have no entry in it (9.png)' in third
    for name in (b'0.png', b'2.png', b'3.png', b'9.png'):
        (data / 'train' / name.decode()).touch()
    write_regions(
        data / 'p.safetensors',
        [b'0.png', b'2.png', b'3.png', b'9.png'],
        [(30, 40)] * 4,
        [1] * 4,
        np.array([[0, 0, 4, 4]] * 4),
        {},
    )
    load(data)
    assert logged[-1] == (logging.INFO, f'the proposals file {data}/p.safetensors has regions for all 4 images')


def test_resized_images_scale_their_regions_and_other_shapes_have_none():
    boxes = np.array([[0, 0, 40, 30], [10, 6, 20, 12], [0, 0, 1, 1]], np.uint16)
    assert fit_regions(boxes, (30, 40), (30, 40)).tolist() == boxes.tolist()
    assert fit_regions(boxes, (30, 40), (60, 80)).tolist() == (2 * boxes).tolist()
    half = fit_regions(boxes, (30, 40), (15, 20))
    assert half.tolist() == [[0, 0, 20, 15], [5, 3, 10, 6]]  # half a pixel is left of the last one: it drops out
    for turned_or_cropped in ((40, 30), (30, 30), (20, 40), (30, 38)):
        assert fit_regions(boxes, (30, 40), turned_or_cropped).shape == (0, 4)
    assert fit_regions(np.array([[0, 0, 427, 640]]), (640, 427), (256, 171)).tolist() == [[0, 0, 171, 256]]
    assert fit_regions(np.empty((0, 4)), (0, 0), (30, 40)).shape == (0, 4)


def test_regions_outside_the_image_are_clipped_or_drop_out():
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 400, (4000, 2, 2))
    boxes = np.concatenate([corners.min(1), corners.max(1)], axis=1)
    kept = fit_regions(boxes, (200, 300), (200, 300))
    wanted = [
        [x1, y1, min(x2, 300), min(y2, 200)]
        for x1, y1, x2, y2 in boxes.tolist()
        if min(x2, 300) - x1 >= 1 and min(y2, 200) - y1 >= 1
    ]
    assert kept.tolist() == wanted and 1000 < len(wanted) < 4000
    scaled = fit_regions(boxes, (200, 300), (100, 150))
    assert len(scaled) and scaled.min() >= 0 and scaled[:, 2].max() <= 150 and scaled[:, 3].max() <= 100
    assert (scaled[:, 2:] - scaled[:, :2]).min() >= 1


def test_an_image_whose_regions_all_vanish_gets_the_grid(data):
    dataset = load(data)
    step = dataset.pipeline.transforms[0]
    turned = step(sample((40, 30), image_idx=0))
    assert turned['regions_fallback'] and turned['regions'].shape == (9, 4)
    assert turned['regions'][:, 2].max() <= 30 and turned['regions'][:, 3].max() <= 40


def test_grid_regions_are_a_function_of_seed_epoch_and_index():
    step = GridRegions()
    first = step(sample())
    assert first['regions_fallback'] is False and first['regions'].dtype == np.float32
    assert np.array_equal(first['regions'], step(sample())['regions'])
    for change in (dict(seed=2), dict(epoch=3), dict(sample_idx=4)):
        assert not np.array_equal(first['regions'], step(sample(**change))['regions'])
    options = dict(grid=2, area=(0.2, 0.21), aspect=(1.0, 1.1))
    drawn = GridRegions(**options)(sample())['regions']
    assert drawn.shape == (4, 4)
    stretched = drawn / [40, 30, 40, 30]
    assert ((stretched[:, 2:] - stretched[:, :2]).prod(1) < 0.211).all()
    assert grid_boxes(np.random.default_rng(0), (30, 40), **options).shape == drawn.shape


@pytest.mark.parametrize(
    'make, message',
    [
        (lambda: GridRegions(area=(0.3, 0.1)), 'GridRegions: a grid of 3'),
        (lambda: GridRegions(grid='3'), 'GridRegions'),
        (lambda: LoadRegions('nowhere.safetensors'), 'nowhere.safetensors does not exist'),
        (lambda: LoadRegions('nowhere.safetensors', max_missing=2), 'max_missing is a share'),
    ],
)
def test_impossible_settings(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_without_bind_it_says_what_to_do(data):
    with pytest.raises(UserError, match='use it in the pipeline of ImageListDataset'):
        LoadRegions(str(data / 'p.safetensors'))(sample())
