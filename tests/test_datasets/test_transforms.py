import numpy as np
import pytest
import torch

from mmssl_geo.augment import PhotometricParams, augment_view
from mmssl_geo.datasets import MultiCrop, MultiViewPhotometricAugmentation, PackViews, RandomQuarterTurns
from mmssl_geo.datasets.transforms.random_streams import sample_rng, stream_seed
from mmssl_geo.utils.errors import UserError


def sample(sample_idx=0, epoch=0, seed=0):
    rng = np.random.default_rng(7)
    img = rng.integers(0, 255, (120, 160, 3), dtype=np.uint8)
    return dict(img=img, seed=seed, epoch=epoch, sample_idx=sample_idx, img_path='a.jpg')


def run(results, photometric=True):
    steps = [MultiCrop(global_size=48, local_size=24, num_local=4)]
    steps += [MultiViewPhotometricAugmentation()] if photometric else []
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
    seeds = {
        stream_seed(sample(i, e, s), name, view)
        for i in range(3)
        for e in range(3)
        for s in range(3)
        for name in ('turn', 'photometrics')
        for view in range(10)
    }
    assert len(seeds) == 27 * 20
    first, again, other = (sample_rng(dict(sample(), name=name), 'turn').random() for name in ('x1', 'x1', 'x2'))
    assert first == again != other


def test_no_local_views():
    results = PackViews()(MultiCrop(global_size=32, num_local=0)(sample()))
    assert results['inputs']['local'].shape[0] == 0 and results['turns'].tolist() == [0, 0]


@pytest.mark.parametrize(
    'setting,message',
    [
        (dict(global_scale=(0.9, 0.3)), 'crop scale must satisfy'),
        (dict(local_scale=(0.0, 0.3)), 'crop scale must satisfy'),
        (dict(num_global=0), 'at least one global crop'),
        (dict(num_global=1, num_local=0), 'at least two views'),
        (dict(local_size=0), 'local_size must be a positive whole number'),
        (dict(global_size=22.5), 'global_size must be a positive whole number'),
        (dict(min_overlap=2), 'min_overlap must be in'),
        (dict(max_draws=0), 'max_draws must be at least 1'),
    ],
)
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
    transform = MultiViewPhotometricAugmentation()
    rows = np.concatenate([transform.sampler.sample(np.random.default_rng(i), 10) for i in range(400)])
    draws = [PhotometricParams.from_row(row) for row in rows]
    share = {
        'jitter': np.mean([bool(draw.jitter) for draw in draws]),
        'gray': np.mean([draw.grayscale for draw in draws]),
        'blur': np.mean([draw.blur_sigma > 0 for draw in draws]),
    }
    assert share == pytest.approx(dict(jitter=0.8, gray=0.2, blur=0.2), abs=0.025)
    factors = {name: [] for name in ('brightness', 'contrast', 'saturation', 'hue')}
    first = []
    for draw in draws:
        first += [draw.jitter[0][0]] if draw.jitter else []
        for name, factor in draw.jitter:
            factors[name].append(factor)
    for name, low, high in (
        ('brightness', 0.2, 1.8),
        ('contrast', 0.2, 1.8),
        ('saturation', 0.2, 1.8),
        ('hue', -0.2, 0.2),
    ):
        values = np.array(factors[name])
        assert values.min() >= low and values.max() <= high
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.03 * (high - low))
    counts = [first.count(name) for name in factors]
    assert min(counts) > 0.2 * len(first), 'the order of the operations is random'


@pytest.mark.parametrize('key', ['jitter_prob', 'grayscale_prob', 'blur_prob', 'solarise_prob'])
@pytest.mark.parametrize('value', [-0.1, 1.01, float('nan'), '0.5', None, (), (1.0, 0.1, 2.0)])
def test_impossible_probabilities_are_refused(key, value):
    MultiViewPhotometricAugmentation(**{key: (0, 1, 0.5)})
    with pytest.raises(UserError, match=f'photometric augmentation: {key} must be one or several probabilities'):
        MultiViewPhotometricAugmentation(**{key: value})


def test_photometric_operations_do_what_they_say():
    view = sample()['img']
    assert (augment_view(view, PhotometricParams((), False, 0.0)) == view).all()
    grey = augment_view(view, PhotometricParams((), True, 0.0))
    assert (grey[..., 0] == grey[..., 1]).all() and (grey[..., 0] == grey[..., 2]).all()
    dark = augment_view(view, PhotometricParams((('brightness', 0.5),), False, 0.0))
    assert np.abs(dark - view * 0.5).max() <= 1
    blurred = augment_view(view, PhotometricParams((), False, 2.0)).astype(float)
    assert blurred.std() < 0.5 * view.std()


def test_draws_do_not_depend_on_where_pixels_are_computed():
    """The device gets untouched views and the draws that the worker would apply, before the turns."""
    cropped = MultiCrop(global_size=48, local_size=24, num_local=4)(sample())
    untouched = [view.copy() for view, _ in cropped['views']]
    left = MultiViewPhotometricAugmentation(where='device')(dict(cropped))
    done = MultiViewPhotometricAugmentation(where='worker')(dict(cropped))
    assert 'photometric_params' not in done and left['photometric_params'].shape == (6, 11)
    for row, before, (view, _), (expected, _) in zip(
        left['photometric_params'], untouched, left['views'], done['views'], strict=True
    ):
        assert (view == before).all()
        assert (augment_view(view, PhotometricParams.from_row(row)) == expected).all()
    packed = PackViews()(left)
    assert torch.equal(packed['photometric_params'], torch.from_numpy(left['photometric_params']))
    assert 'photometric_params' not in PackViews()(done)


def test_where_pixels_are_computed(monkeypatch):
    assert not MultiViewPhotometricAugmentation(where='worker').on_device
    assert MultiViewPhotometricAugmentation(where='device').on_device
    for device, on_device in (('cuda', True), ('cpu', False), ('npu', True)):
        monkeypatch.setattr('mmssl_geo.datasets.transforms.photometric.get_device', lambda device=device: device)
        assert MultiViewPhotometricAugmentation().on_device is on_device
    with pytest.raises(UserError, match="Augmentation.where must be one of auto, worker, device, got 'gpu'"):
        MultiViewPhotometricAugmentation(where='gpu')
