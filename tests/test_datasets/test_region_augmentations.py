from functools import partial

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose

from mmssl_geo.datasets import ContextCrop, ForegroundShift, PhotometricAugmentation, RegionCutout, TokenCutout
from mmssl_geo.geometry import region_mask
from mmssl_geo.registry import TRANSFORMS
from mmssl_geo.utils.errors import UserError
from tests.support.boxes import random_boxes

MEAN = (124, 116, 104)
STEPS = (RegionCutout, ContextCrop, ForegroundShift)


def sample(seed=0, size=(60, 80), boxes=None, **keys):
    rng = np.random.default_rng(seed)
    image = rng.integers(130, 256, (*size, 3), dtype=np.uint8)  # the colour of the mean does not occur
    boxes = np.array([(10, 8, 40, 38), (30, 20, 60, 50)] if boxes is None else boxes, dtype=np.float32)
    return dict(img=image, regions=boxes, seed=0, epoch=0, sample_idx=seed, **keys)


def is_mean(image):
    return (image == MEAN).all(axis=-1)


def test_cutout_fills_its_holes_and_nothing_else():
    before = sample()
    image = before['img'].copy()
    after = RegionCutout(share=(0.3, 0.45))(before)
    assert (is_mean(after['img']) == after['holes']).all()
    assert (after['img'] == image)[~after['holes']].all()
    for box, share in zip(after['regions'], after['region_shares'], strict=True):
        assert share == pytest.approx(after['holes'][region_mask([box], (60, 80))].mean())
    assert after['region_shares'].min() > 0.1 and after['region_shares'].dtype == np.float32


def test_context_crop_fills_all_but_a_window_and_the_regions():
    boxes = region_mask(sample()['regions'], (60, 80))
    shares = []
    for index in range(200):
        before = sample(index)
        image = before['img'].copy()
        after = ContextCrop(scale=(0.3, 0.8))(before)
        filled = after['context_mask']
        assert (is_mean(after['img']) == filled).all() and not (filled & boxes).any()
        assert (after['img'] == image)[~filled].all()
        kept = ~filled & ~boxes
        rows, columns = kept.any(axis=1), kept.any(axis=0)
        window = np.outer(rows, columns)
        assert not (filled & window & ~boxes)[np.ix_(rows, columns)].any()
        no_regions = sample(index, boxes=np.empty((0, 4)))
        shares.append(ContextCrop(scale=(0.3, 0.8))(no_regions)['context_mask'].mean())
    assert np.min(shares) == pytest.approx(0.2, abs=0.03) and np.max(shares) == pytest.approx(0.7, abs=0.03)
    assert np.mean(shares) == pytest.approx(0.45, abs=0.045)


@pytest.mark.parametrize('see_through', [True, False])
def test_foreground_shift_moves_regions_holes_and_content_alike(see_through):
    shifts = []
    for index in range(100):
        before = RegionCutout()(sample(index))
        image, holes, boxes = before['img'].copy(), before['holes'].copy(), before['regions'].copy()
        after = ForegroundShift(see_through)(before)
        dx, dy = after['shift']
        assert after['regions'] == pytest.approx(boxes + [dx, dy, dx, dy])
        assert after['regions'].min() >= 0 and (after['regions'] <= [80, 60] * 2).all()
        rolled = [np.roll(array, (dy, dx), (0, 1)) for array in (image, holes, region_mask(boxes, (60, 80)))]
        foreground = rolled[2] & ~rolled[1] if see_through else rolled[2]
        assert (after['foreground'] == foreground).all()
        assert (after['img'][foreground] == rolled[0][foreground]).all() and is_mean(after['img'][~foreground]).all()
        assert (after['holes'] == rolled[1]).all()
        shifts.append((dx, dy))
    shifts = np.array(shifts)  # 10 to 60 of 80 columns, 8 to 50 of 60 rows
    assert (shifts.min(axis=0) >= (-10, -8)).all() and (shifts.max(axis=0) <= (20, 10)).all()
    assert (shifts.min(axis=0) <= (-8, -7)).all() and (shifts.max(axis=0) >= (18, 9)).all()
    assert shifts.mean(axis=0) == pytest.approx([5, 1], abs=2.7)


def test_foreground_shift_without_a_cutout():
    after = ForegroundShift()(sample())
    assert 'holes' not in after and (after['foreground'] == region_mask(after['regions'], (60, 80))).all()


def test_regions_that_fill_the_image_stay_where_they_are():
    after = ForegroundShift()(sample(boxes=[(0, 0, 50, 60), (30, 10, 80, 40)]))
    assert after['shift'] == (0, 0)


def test_any_boxes_go_through_all_three():
    rng = np.random.default_rng(0)
    chain = Compose([RegionCutout(), ContextCrop(), ForegroundShift()])
    for index in range(1000):
        size = tuple(rng.integers(1, 40, 2).tolist())
        boxes = random_boxes(rng, size)
        after = chain(sample(index, size, boxes))
        assert after['img'].shape == (*size, 3) and after['regions'].shape == boxes.shape
        assert np.isfinite(after['regions']).all() and after['regions'].min() >= 0
        assert not (after['foreground'] & ~region_mask(after['regions'], size)).any()
        assert (is_mean(after['img']) == ~after['foreground']).all()


def test_boxes_of_any_type_under_any_key():
    box_type = pytest.importorskip('mmdet.structures.bbox').HorizontalBoxes
    plain = sample()
    boxes = plain.pop('regions')
    for step in STEPS:
        for make in (np.array, box_type):
            results = {**plain, 'img': plain['img'].copy(), 'gt_bboxes': make(boxes)}
            after = step(regions_key='gt_bboxes', colour=(1, 2, 3))(results)
            assert type(after['gt_bboxes']) is type(make(boxes)) and after['gt_bboxes'].shape == (2, 4)
            assert (after['img'] == (1, 2, 3)).all(axis=-1).any()
            expected = step(colour=(1, 2, 3))({**plain, 'regions': boxes})
            assert (after['img'] == expected['img']).all()
            moved = getattr(after['gt_bboxes'], 'tensor', after['gt_bboxes'])
            assert np.asarray(moved) == pytest.approx(expected['regions'])


@pytest.mark.parametrize('step', [*STEPS, partial(PhotometricAugmentation, jitter_prob=1)])
def test_steps_are_a_function_of_seed_epoch_index_and_view(step):
    def run(**changes):
        results = {**sample(), **changes}
        return step()(results)['img']

    first = run()
    state = np.random.get_state()[1].copy()
    assert (run() == first).all() and (np.random.get_state()[1] == state).all()
    for change in (dict(epoch=1), dict(seed=1), dict(sample_idx=1), dict(name='x1_cut')):
        assert (run(**change) != first).any(), change


@pytest.mark.parametrize('step', STEPS)
def test_a_plain_pipeline_draws_from_numpys_global_generator(step):
    def run():
        results = sample()
        return step()({key: results[key] for key in ('img', 'regions')})['img']

    np.random.seed(3)
    first, second = run(), run()
    assert (first != second).any()
    np.random.seed(3)
    assert (run() == first).all()


def test_steps_leave_the_image_that_came_in():
    for step in STEPS:
        image = sample()['img']
        before = image.copy()
        step()({**sample(), 'img': image})
        assert (image == before).all()


def test_token_cutout_marks_tokens_half_of_the_time():
    shares = []
    for index in range(400):
        results = sample(index, boxes=[(0, 0, 80, 30), (10, 20, 70, 60)])
        image = results['img'].copy()
        after = TokenCutout(grid=(14, 14))(results)
        assert after['token_holes'].shape == (14, 14) and (after['img'] == image).all()
        shares.append(after['token_shares'][1])
    shares = np.array(shares)
    assert (shares == 0).mean() == pytest.approx(0.5, abs=0.1)
    assert shares[shares > 0].mean() == pytest.approx(0.4, abs=0.05)


def test_token_cutout_scales_pixels_to_tokens():
    step = TokenCutout(grid=(6, 16), share=(1, 1), prob=1)
    ever = np.any([step(sample(index, boxes=[(0, 0, 40, 20)]))['token_holes'] for index in range(50)], axis=0)
    expected = np.zeros((6, 16), dtype=bool)
    expected[:3, :9] = True  # the rounded edges 8 and 2 belong to the box
    assert (ever == expected).all()


def test_photometric_augmentation_of_byol():
    def share(happens, **probs):
        never = dict(jitter_prob=0, grayscale_prob=0, blur_prob=0, solarise_prob=0)
        step = PhotometricAugmentation(**{**never, **probs})
        return np.mean([happens(step(sample(index))['img'], sample(index)['img']) for index in range(300)])

    defaults = PhotometricAugmentation().sampler.probs
    assert share(lambda after, before: (after != before).any(), jitter_prob=0.8) == pytest.approx(0.8, abs=0.08)
    assert share(lambda after, _: np.ptp(after, axis=-1).max() == 0, grayscale_prob=0.2) == pytest.approx(0.2, abs=0.08)
    assert share(lambda after, _: after.max() < 128, solarise_prob=0.2) == pytest.approx(0.2, abs=0.08)
    assert share(lambda after, before: after.std() < 0.9 * before.std(), blur_prob=1) > 0.7
    assert defaults.tolist() == [[0.8, 0.2, 0.1, 0.2]]  # jitter, grayscale, blur, solarise


def test_steps_are_registered():
    for step in (*STEPS, TokenCutout, PhotometricAugmentation):
        assert type(TRANSFORMS.build(dict(type=f'mmssl_geo.{step.__name__}'))) is step


@pytest.mark.parametrize(
    'make,message',
    [
        (lambda: RegionCutout(share=(0.5, 0.3)), 'RegionCutout.share must be'),
        (lambda: RegionCutout(share=(0.5, 1.3)), 'between 0 and 1'),
        (lambda: RegionCutout(aspect_jitter=-1), 'must not be negative'),
        (lambda: ContextCrop(scale=(0, 0.3)), 'must be more than 0'),
        (lambda: ContextCrop(scale=(0.5, 0.3)), 'ContextCrop.scale must be'),
        (lambda: TokenCutout(share=(0.5, 1.3)), 'TokenCutout.share must be'),
        (lambda: RegionCutout()(dict(img=np.zeros((4, 4, 3)))), 'finds no key "regions".*LoadRegions'),
        (lambda: ContextCrop(regions_key='gt_bboxes')(sample()), 'finds no key "gt_bboxes"'),
        (lambda: ForegroundShift()(sample(boxes=[1, 2, 3, 4])), r'must hold boxes of shape \(K, 4\)'),
    ],
)
def test_what_cannot_work_is_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_torch_boxes_are_read():
    after = RegionCutout()({**sample(), 'regions': torch.tensor([[10.0, 8, 40, 38]])})
    assert after['region_shares'].shape == (1,)
