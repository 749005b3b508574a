import numpy as np
import pytest
import torch

from mmssl_geo.augment import PhotometricParams, apply_photometrics
from mmssl_geo.datasets import MultiCrop, PackViews, RandomQuarterTurns, RandomViewPhotometrics, ViewPhotometrics
from mmssl_geo.datasets.transforms.view_random import stream_seed, view_rng
from mmssl_geo.utils.errors import UserError


def sample(sample_idx=0, epoch=0, seed=0):
    rng = np.random.default_rng(7)
    img = rng.integers(0, 255, (120, 160, 3), dtype=np.uint8)
    return dict(img=img, seed=seed, epoch=epoch, sample_idx=sample_idx, img_path='a.jpg')


def run(results, photometrics=True):
    steps = [MultiCrop(global_size=48, local_size=24, num_local=4)]
    steps += [RandomViewPhotometrics()] if photometrics else []
    for step in (*steps, RandomQuarterTurns(), PackViews()):
        results = step(results)
    return results


def test_packed_sample():
    packed = run(sample())
    assert packed['inputs']['global'].shape == (2, 3, 48, 48) and packed['inputs']['global'].dtype == torch.uint8
    assert packed['inputs']['local'].shape == (4, 3, 24, 24)
    assert packed['crop_boxes_src'].shape == (6, 4) and packed['turns'].shape == (6,)
    assert packed['img_path'] == 'a.jpg' and packed['sample_idx'] == 0


def test_views_are_a_function_of_seed_epoch_and_index_only():
    first, again = run(sample()), run(sample())
    torch.manual_seed(99)
    np.random.seed(99)
    third = run(sample())
    for other in (again, third):
        assert torch.equal(first['inputs']['global'], other['inputs']['global'])
        assert torch.equal(first['turns'], other['turns'])
    for changed in (dict(sample_idx=1), dict(epoch=1), dict(seed=1)):
        assert not torch.equal(first['crop_boxes_src'], run(sample(**changed))['crop_boxes_src'])


def test_global_random_state_is_untouched():
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    run(sample())
    assert torch.equal(before[0], torch.get_rng_state()) and (before[1] == np.random.get_state()[1]).all()


def test_streams_of_views_and_names_differ():
    seeds = {stream_seed(sample(i, e, s), name, view) for i in range(3) for e in range(3) for s in range(3)
             for name in ('turn', 'photometrics') for view in range(10)}
    assert len(seeds) == 27 * 20
    assert view_rng(sample(), 'turn', 1).random() == view_rng(sample(), 'turn', 1).random()


def test_no_local_views():
    results = PackViews()(MultiCrop(global_size=32, num_local=0)(sample()))
    assert results['inputs']['local'].shape[0] == 0 and results['turns'].tolist() == [0, 0]


@pytest.mark.parametrize('setting,message', [
    (dict(global_scale=(0.9, 0.3)), 'crop scale must satisfy'),
    (dict(local_scale=(0., 0.3)), 'crop scale must satisfy'),
    (dict(num_global=0), 'at least one global crop'),
    (dict(num_global=1, num_local=0), 'at least two views'),
    (dict(local_size=0), 'local_size must be a positive whole number'),
    (dict(global_size=22.5), 'global_size must be a positive whole number'),
    (dict(min_overlap=2), 'min_overlap must be in'),
    (dict(max_draws=0), 'max_draws must be at least 1'),
])
def test_impossible_crops_are_refused(setting, message):
    with pytest.raises(UserError, match=message):
        MultiCrop(**setting)


def test_turns_are_uniform_and_turn_the_pixels():
    turns = []
    for index in range(300):
        cropped = MultiCrop(global_size=16, num_local=0)(sample(index))
        before = [np.asarray(view) for view, _ in cropped['views']]
        turned = RandomQuarterTurns()(cropped)['views']
        for array, (view, record) in zip(before, turned, strict=True):
            assert (np.rot90(array, record.turn) == np.asarray(view)).all()
            turns.append(record.turn)
    counts = np.bincount(turns, minlength=4)
    assert (abs(counts - 150) < 45).all()  # 4.2 standard deviations


def test_photometric_draws_have_the_stated_frequencies():
    transform = RandomViewPhotometrics()
    rows = np.concatenate([transform.draw(np.random.default_rng(i), 10) for i in range(400)])
    draws = [PhotometricParams.from_row(row) for row in rows]
    share = {
        'jitter': np.mean([bool(draw.jitter) for draw in draws]),
        'gray': np.mean([draw.grayscale for draw in draws]),
        'blur': np.mean([draw.blur_sigma > 0 for draw in draws])}
    assert share == pytest.approx(dict(jitter=0.8, gray=0.2, blur=0.2), abs=0.025)
    factors = {name: [] for name in ('brightness', 'contrast', 'saturation', 'hue')}
    first = []
    for draw in draws:
        first += [draw.jitter[0][0]] if draw.jitter else []
        for name, factor in draw.jitter:
            factors[name].append(factor)
    for name, low, high in (('brightness', .2, 1.8), ('contrast', .2, 1.8), ('saturation', .2, 1.8), ('hue', -.2, .2)):
        values = np.array(factors[name])
        assert values.min() >= low and values.max() <= high
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.03 * (high - low))
    counts = [first.count(name) for name in factors]
    assert min(counts) > 0.2 * len(first), 'the order of the operations is random'


@pytest.mark.parametrize('key', ['jitter_prob', 'grayscale_prob', 'blur_prob', 'solarise_prob'])
@pytest.mark.parametrize('value', [-0.1, 1.01, float('nan'), '0.5', None, (), (1., 0.1, 2.)])
def test_impossible_probabilities_are_refused(key, value):
    RandomViewPhotometrics(**{key: (0, 1, 0.5)})
    with pytest.raises(UserError, match=f'photometrics: {key} must be a probability'):
        RandomViewPhotometrics(**{key: value})


def test_photometric_operations_do_what_they_say():
    view = sample()['img']
    assert (apply_photometrics(view, PhotometricParams((), False, 0.)) == view).all()
    grey = apply_photometrics(view, PhotometricParams((), True, 0.))
    assert (grey[..., 0] == grey[..., 1]).all() and (grey[..., 0] == grey[..., 2]).all()
    dark = apply_photometrics(view, PhotometricParams((('brightness', 0.5),), False, 0.))
    assert np.abs(dark - view * 0.5).max() <= 1
    blurred = apply_photometrics(view, PhotometricParams((), False, 2.)).astype(float)
    assert blurred.std() < 0.5 * view.std()


def test_draws_do_not_depend_on_where_pixels_are_computed():
    """The device gets untouched views and the draws that the worker would apply, before the turns."""
    cropped = MultiCrop(global_size=48, local_size=24, num_local=4)(sample())
    untouched = [view.copy() for view, _ in cropped['views']]
    left = RandomViewPhotometrics(where='device')(dict(cropped))
    done = RandomViewPhotometrics(where='worker')(dict(cropped))
    assert 'photometrics' not in done and left['photometrics'].shape == (6, 11)
    for row, before, (view, _), (expected, _) in zip(
            left['photometrics'], untouched, left['views'], done['views'], strict=True):
        assert (view == before).all()
        assert (apply_photometrics(view, PhotometricParams.from_row(row)) == expected).all()
    packed = PackViews()(left)
    assert torch.equal(packed['photometrics'], torch.from_numpy(left['photometrics']))
    assert 'photometrics' not in PackViews()(done)


def test_where_photometrics_are_done(monkeypatch):
    assert not RandomViewPhotometrics(where='worker').on_device and RandomViewPhotometrics(where='device').on_device
    for device, on_device in (('cuda', True), ('cpu', False), ('npu', True)):
        monkeypatch.setattr('mmssl_geo.datasets.transforms.photometric.get_device', lambda device=device: device)
        assert RandomViewPhotometrics().on_device is on_device
        assert not ViewPhotometrics().photometrics.on_device
    with pytest.raises(UserError, match="photometrics: where must be one of auto, worker, device, got 'gpu'"):
        RandomViewPhotometrics(where='gpu')
