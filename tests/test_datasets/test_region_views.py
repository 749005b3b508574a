import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch.utils.data import default_collate

from mmssl_geo.datasets import (
    AugmentView,
    DeriveView,
    ForegroundShift,
    PackRegionViews,
    RegionCutout,
    RegionViews,
    pipeline_steps,
)
from mmssl_geo.geometry import grid_boxes, region_mask
from mmssl_geo.registry import TRANSFORMS
from mmssl_geo.utils.errors import UserError
from tests.support import ROOT

HEIGHT, WIDTH = 200, 250


def sample(index=0, regions=None, size=(HEIGHT, WIDTH), seed=0, step=1):
    """An image whose red is `step` times the column, and whose green is `step` times the row, of a pixel."""
    ys, xs = np.mgrid[: size[0], : size[1]] * step
    image = np.stack([xs % 256, ys % 256, np.full(size, 7)], axis=-1).astype(np.uint8)
    if regions is None:
        regions = grid_boxes(np.random.default_rng(index), size)
    return dict(
        img=image,
        regions=np.array(regions, dtype=np.float32).reshape(-1, 4),
        seed=seed,
        epoch=0,
        sample_idx=index,
        img_path='a.jpg',
        regions_fallback=False,
    )


def shipped_steps(**options):
    """The shipped pipeline from `RegionViews` on, without photometric augmentation and packing."""
    steps = Config.fromfile(ROOT / 'configs/_base_/datasets/d3ssl_regions.py').train_dataloader.dataset.pipeline
    steps.update(regions=None, pack=None, x1=None, x2=None)
    steps.views.update(options)
    for name in ('x1_cut', 'x2_small', 'x3'):
        steps[name].steps.photometric = None
    return [TRANSFORMS.build(step) for step in pipeline_steps(steps)]


def run(steps, results):
    for step in steps:
        results = step(results)
    return results


def clip(boxes, box):
    return np.concatenate([np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])], axis=1)


def sides(boxes):
    return boxes[..., 2:] - boxes[..., :2]


@pytest.mark.parametrize('same_part', [False, True])
def test_every_view_shows_the_same_content_of_a_region(same_part):
    """Each pixel of a region tells its source pixel: right within a view pixel, through crop, flip, resize, shift."""
    compared = dict.fromkeys(('x1', 'x2', 'x1_cut', 'x2_small', 'x3'), 0)
    steps, flips, shifts = shipped_steps(same_part=same_part, num_regions=2), set(), []
    for index in range(60):
        results = run(steps, sample(index, size=(40, 50), step=5))
        views = results['views']
        assert list(views) == list(compared)
        shifts.append(views['x3']['shift'])
        for name, view in views.items():
            crop_src = views['x2']['crop_box_src'] if same_part else view['crop_box_src']
            size = view['img'].shape[:2]
            visible = view.get('foreground', ~view.get('holes', np.zeros(size, dtype=bool)))
            for part_src, box in zip(clip(results['regions_src'], crop_src), view['regions'], strict=True):
                ys, xs = np.nonzero(region_mask([box], size) & visible)
                along = (np.stack([xs, ys], axis=1) + 0.5 - box[:2]) / sides(box)
                if view['flipped']:
                    along[:, 0] = 1 - along[:, 0]
                expected = part_src[:2] + along * sides(part_src) - 0.5
                inner = ((expected > 0) & (expected < (49, 39))).all(axis=1)  # further out there is nothing to blend
                off = (view['img'][ys, xs, :2] / 5 - expected)[inner] / (sides(part_src) / sides(box))
                assert np.abs(off).max() < 1, name
                assert np.abs(off.mean(axis=0)).max() < 0.4, f'pooled {name}'
                compared[name] += len(off)
            flips.add((name, view['flipped']))
    assert min(compared.values()) > 50000 and len(flips) == 10
    assert (np.array(shifts) != 0).mean() > 0.3


def test_boxes_are_the_whole_region_in_x1_and_the_visible_part_in_x2():
    cut_by_x2 = 0
    for index in range(50):
        results = RegionViews(flip_prob=0, size=100)(sample(index))
        x1, x2 = results['views']['x1'], results['views']['x2']
        assert (x1['crop_box_src'][:2] <= x2['crop_box_src'][:2]).all()
        assert (x2['crop_box_src'][2:] <= x1['crop_box_src'][2:]).all()
        for view in (x1, x2):
            crop_src = view['crop_box_src']
            part = clip(results['regions_src'], crop_src)
            expected = (part - np.tile(crop_src[:2], 2)) * 100 / np.tile(sides(crop_src), 2)
            assert view['regions'] == pytest.approx(expected, abs=1e-3)
        cut_by_x2 += (clip(results['regions_src'], x2['crop_box_src']) != results['regions_src']).any()
    assert cut_by_x2 > 25


def test_crops_have_the_wanted_area_and_aspect():
    step = RegionViews(x1_scale=(0.9, 1), crop_scale=(0.6, 1))
    crops = np.array([[view['crop_box_src'] for view in step(sample(index))['views'].values()] for index in range(300)])
    assert crops.min() >= 0 and (crops[..., 2:] <= (WIDTH, HEIGHT)).all()
    x1_area, x2_area = sides(crops).prod(axis=-1).T
    assert 0.9 <= (x1_area / WIDTH / HEIGHT).min() < 0.92 and (x1_area / WIDTH / HEIGHT).max() > 0.98
    share = x2_area / x1_area
    assert 0.6 - 1e-9 <= share.min() < 0.63 and share.max() > 0.97 and share.mean() == pytest.approx(0.8, abs=0.03)
    aspect = sides(crops[:, 1]).T[0] / sides(crops[:, 1]).T[1] * sides(crops[:, 0]).T[1] / sides(crops[:, 0]).T[0]
    assert 3 / 4 - 1e-9 <= aspect.min() < 0.82 and 1.22 < aspect.max() <= 4 / 3 + 1e-9


def test_flips_are_drawn_for_each_view():
    step = RegionViews(flip_prob=0.5, size=16)
    flips = np.array([[view['flipped'] for view in step(sample(index))['views'].values()] for index in range(400)])
    assert flips.mean(axis=0) == pytest.approx(0.5, abs=0.11)
    assert (flips[:, 0] == flips[:, 1]).mean() == pytest.approx(0.5, abs=0.11)
    assert not any(
        view['flipped']
        for index in range(20)
        for view in RegionViews(flip_prob=0, size=16)(sample(index))['views'].values()
    )


def test_chosen_regions_can_be_used_in_both_views():
    step, chosen = RegionViews(size=100, num_regions=3, jitter=0.0), 0
    for index in range(200):
        rng = np.random.default_rng(index)
        corners = rng.uniform(0, 1, (30, 2, 2)) * (WIDTH, HEIGHT)
        boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
        results = step(sample(index, boxes))
        if results['regions_fallback']:
            continue
        chosen += 1
        for box_src in results['regions_src']:
            assert np.isclose(box_src, boxes, atol=1e-3).all(axis=1).any()
        width, height = sides(results['regions_src']).T
        assert np.maximum(width / height, height / width).max() <= 3
        size = np.sqrt(width * height / WIDTH / HEIGHT)
        assert 0.3 <= size.min() and size.max() <= 0.8
        for view in results['views'].values():
            assert sides(view['regions']).min() >= 100 / 7 - 1e-3
            assert view['regions'].min() >= 0 and view['regions'].max() <= 100
    assert chosen > 190


@pytest.mark.parametrize(
    'box',
    [
        (10, 10, 240, 70),  # aspect 3.8
        (10, 10, 70, 80),  # 29 % of the side
        (0, 0, 240, 190),  # 95 %
        (20, 5, 20, 190),  # of no extent
        (np.nan, 5, 90, 90),
    ],
)
def test_regions_of_extreme_shape_or_size_are_not_used(box):
    usable = (60, 50, 160, 150)
    for index in range(20):
        results = RegionViews(jitter=0.0)(sample(index, [box, usable]))
        assert not results['regions_fallback'] and (results['regions_src'] == usable).all()
        assert RegionViews()(sample(index, [box]))['regions_fallback']


def test_a_region_out_of_sight_is_not_used():
    """x2 shows too little of a box at the border in some draws; these are drawn again, or the box drops out."""
    box, step = (0, 60, 75, 160), RegionViews(min_side=0.25, size=100, crop_scale=(0.6, 0.6), max_draws=1)
    fallbacks = []
    for index in range(200):
        results = step(sample(index, [box]))
        fallbacks.append(results['regions_fallback'])
        if not fallbacks[-1]:
            assert min(sides(view['regions']).min() for view in results['views'].values()) >= 25 - 1e-3
    assert 0.2 < np.mean(fallbacks) < 0.9
    often = RegionViews(min_side=0.25, size=100, crop_scale=(0.6, 0.6), max_draws=30)
    assert np.mean([often(sample(index, [box]))['regions_fallback'] for index in range(200)]) < 0.05


def test_few_regions_are_padded_by_jittered_copies():
    boxes, copies = np.array([(30, 40, 130, 120), (100, 60, 220, 170)]), []
    for index in range(100):
        results = RegionViews(num_regions=5)(sample(index, boxes))
        regions = results['regions_src']
        found = min(2, len(np.unique(regions[np.isin(regions, boxes).all(axis=1)], axis=0)))
        assert not results['regions_fallback'] and regions.shape == (5, 4) and found >= 1
        for copy in regions[found:]:
            centre_off = np.abs((copy[:2] + copy[2:]) - (boxes[:, :2] + boxes[:, 2:])) / 2 / sides(boxes)
            side_off = np.abs(sides(copy) / sides(boxes) - 1)
            near = ((centre_off <= 0.1 + 1e-5) & (side_off <= 0.1 + 1e-5)).all(axis=1)
            assert near.any()
            copies.append(np.concatenate([centre_off, side_off], axis=1)[near.argmax()])
    copies = np.array(copies)[np.any(copies, axis=1)]
    assert len(copies) > 200 and (copies.max(axis=0) > 0.09).all()
    exact = RegionViews(num_regions=5, jitter=0.0)(sample(0, boxes[:1]))['regions_src']
    assert (exact == boxes[0]).all()


def test_distinct_regions_come_first_and_all_of_them_in_the_long_run():
    boxes = np.array([(30 + 10 * k, 40, 120 + 10 * k, 120 + 5 * k) for k in range(9)])
    seen = set()
    for index in range(100):
        regions = RegionViews(x1_scale=(1, 1), crop_scale=(1, 1))(sample(index, boxes))['regions_src']
        assert len(np.unique(regions, axis=0)) == 4
        seen |= {tuple(box) for box in regions.tolist()}
    assert seen == {tuple(box) for box in boxes.astype(float).tolist()}


@pytest.mark.parametrize('size', [(1, 1), (1, 4000), (4000, 1), (3, 2), (37, 1000)])
@pytest.mark.parametrize('regions', [[], [(0, 0, 1, 1)], [(-5, -5, 9000, 9000)]])
def test_any_image_gives_views_of_k_regions(size, regions):
    for index in range(10):
        results = run(shipped_steps(size=64), sample(index, regions, size))
        assert results['regions_fallback'] == (size != (3, 2) or not regions or regions[0][2] > 2)
        assert results['regions_src'].shape == (4, 4)
        for name, view in results['views'].items():
            side = 112 if name == 'x2_small' else 64
            assert view['img'].shape == (side, side, 3)
            assert view['regions'].min() >= 0 and view['regions'].max() <= side
            assert sides(view['regions']).min() > side / 10


def test_a_fallback_before_this_step_is_kept():
    assert RegionViews()({**sample(), 'regions_fallback': True})['regions_fallback']
    assert not RegionViews()(sample())['regions_fallback']


def test_views_are_a_function_of_seed_and_index():
    steps = shipped_steps()
    first, again = run(steps, sample(3))['views'], run(steps, sample(3))['views']
    others = [run(steps, sample(4, sample(3)['regions']))['views'], run(steps, sample(3, seed=1))['views']]
    for name in first:
        assert (first[name]['img'] == again[name]['img']).all()
        assert all((first[name]['img'] != other[name]['img']).any() for other in others)
    assert (first['x2_small']['region_shares'] != first['x3']['region_shares']).any()


def test_a_derived_view_leaves_its_source():
    results = RegionViews(size=64)(sample())
    before = {key: np.copy(results['views']['x2'][key]) for key in ('img', 'regions')}
    steps = dict(cutout=RegionCutout(), dropped=None, shift=ForegroundShift())
    DeriveView('x2', 'new', size=32, steps=steps)(results)
    for key, value in before.items():
        assert (results['views']['x2'][key] == value).all()
    new = results['views']['new']
    assert new['name'] == 'new' and new['img'].shape == (32, 32, 3) and 'holes' not in results['views']['x2']
    assert new['regions'] == pytest.approx(before['regions'] / 2 + np.tile(new['shift'], 2))


def test_packed_samples_are_batched():
    packed = [PackRegionViews()(run(shipped_steps(size=64), sample(index))) for index in range(3)]
    for key, shape in (('x1', (3, 64, 64)), ('x3', (3, 64, 64)), ('x2_small', (3, 112, 112))):
        assert packed[0]['inputs'][key].shape == shape and packed[0]['inputs'][key].dtype == torch.uint8
    views = run(shipped_steps(size=64), sample(1))['views']
    assert (packed[1]['inputs']['x2'].permute(1, 2, 0).numpy() == views['x2']['img']).all()
    assert (packed[1]['foreground'].numpy() == views['x3']['foreground']).all()
    assert (packed[1]['regions']['x3'].numpy() == views['x3']['regions']).all()
    batch = default_collate(packed)
    assert batch['inputs']['x1'].shape == (3, 3, 64, 64) and batch['foreground'].shape == (3, 64, 64)
    assert batch['regions']['x1_cut'].shape == (3, 4, 4) and batch['regions']['x1_cut'].dtype == torch.float32
    assert set(batch['region_shares']) == {'x1_cut', 'x2_small', 'x3'}
    assert batch['regions_fallback'].tolist() == [False] * 3 and batch['sample_idx'].tolist() == [0, 1, 2]
    clean = PackRegionViews()(RegionViews()(sample()))
    assert 'foreground' not in clean and clean['region_shares'] == {}


@pytest.mark.parametrize(
    'make,message',
    [
        (lambda: RegionViews(size=0), 'size must be a positive whole number'),
        (lambda: RegionViews(num_regions=2.5), 'num_regions must be a positive whole number'),
        (lambda: RegionViews(max_draws=0), 'max_draws must be'),
        (lambda: RegionViews(crop_scale=(0.9, 0.6)), 'crop_scale must be'),
        (lambda: RegionViews(x1_scale=(0, 1)), 'x1_scale must be'),
        (lambda: RegionViews(size_range=(0.3, 8)), 'size_range must be'),
        (lambda: RegionViews(crop_ratio=(1.2, 2)), 'crop_ratio must include 1'),
        (lambda: RegionViews(min_side=32), 'min_side is a share of the view'),
        (lambda: RegionViews()(dict(img=sample()['img'])), 'RegionViews finds no key "regions"'),
        (
            lambda: DeriveView('x9', 'x1_cut')(RegionViews()(sample())),
            'no view "x9" to make "x1_cut" of: there are x1, x2',
        ),
        (lambda: DeriveView('x1', 'x1'), 'DeriveView cannot replace its source "x1": use AugmentView'),
        (lambda: AugmentView('x9', [])(RegionViews()(sample())), 'AugmentView finds no view "x9": there are x1, x2'),
        (lambda: DeriveView('x3', 'x4', size=32)(run(shipped_steps(), sample())), 'cannot resize "x3"'),
    ],
)
def test_what_cannot_work_is_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()
