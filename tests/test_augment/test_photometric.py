"""Both implementations of the photometric augmentation against torchvision's operators and Pillow's blur."""

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as tvf
from PIL import Image, ImageFilter, ImageOps

from mmssl_geo.augment import OPERATIONS, PhotometricParams, augment_batch, augment_view
from mmssl_geo.augment.params import blur_box_radius


def pictures():
    """Smooth coloured noise, sharp noise, saturated stripes, black, white and a grey ramp; (32, 40, 3) uint8."""
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)).resize((40, 32), Image.Resampling.BICUBIC)
    stripes = np.zeros((32, 40, 3), np.uint8)
    stripes[:, ::3, 0] = stripes[:, 1::5, 1] = stripes[::2, :, 2] = 255
    ramp = np.linspace(0, 255, 40).astype(np.uint8)[None, :, None]
    return [
        np.array(smooth),
        rng.integers(0, 256, (32, 40, 3), dtype=np.uint8),
        stripes,
        np.zeros_like(stripes),
        np.full_like(stripes, 255),
        np.broadcast_to(ramp, stripes.shape).copy(),
    ]


def on_worker(images, draws):
    return np.stack([augment_view(image, draw) for image, draw in zip(images, draws, strict=True)]).astype(int)


def on_device(images, draws):
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    out = augment_batch(batch, torch.from_numpy(np.stack([draw.row() for draw in draws])))
    assert out.dtype == torch.float32 and torch.equal(out, out.round()) and out.min() >= 0 and out.max() <= 255
    return out.permute(0, 2, 3, 1).numpy().astype(int)


def reference(images, draws):
    """torchvision on Pillow images, as in the official code; the hue on tensors, where it is not rounded to 8 bits."""
    done = []
    for image, draw in zip(images, draws, strict=True):
        for name, factor in draw.jitter:
            if name == 'hue':
                tensor = tvf.adjust_hue(torch.from_numpy(np.array(image)).permute(2, 0, 1), factor)
                image = tensor.permute(1, 2, 0).numpy()
            else:
                image = np.array(getattr(tvf, f'adjust_{name}')(Image.fromarray(image), factor))
        image = Image.fromarray(image)
        if draw.grayscale:
            image = tvf.rgb_to_grayscale(image, num_output_channels=3)
        if draw.blur_sigma:
            image = image.filter(ImageFilter.GaussianBlur(draw.blur_sigma))
        done.append(np.array(ImageOps.solarize(image, 128) if draw.solarise else image, int))
    return np.stack(done)


FACTORS = (0.2, 0.7, 1, 1.8)
SINGLE = [
    *[PhotometricParams(((name, factor),), False, 0.0) for name in OPERATIONS[:3] for factor in FACTORS],
    *[PhotometricParams((('hue', turn),), False, 0.0) for turn in (-0.5, -0.2, 0.0, 0.13, 0.5)],
    PhotometricParams((), True, 0.0),
    PhotometricParams((), False, 0.0, True),
    PhotometricParams((), False, 0.0),
]


@pytest.mark.parametrize('compute', [on_worker, on_device])
@pytest.mark.parametrize('draw', SINGLE, ids=lambda draw: f'{draw.jitter}{draw.grayscale:d}{draw.solarise:d}')
def test_each_operator_is_torchvisions_within_a_grey_level(compute, draw):
    images = pictures()
    draws = [draw] * len(images)
    difference = compute(images, draws) - reference(images, draws)
    assert np.abs(difference).max() <= 1
    assert abs(difference[0].mean()) < 0.25  # no operator shifts the levels of a natural picture


@pytest.mark.parametrize('compute', [on_worker, on_device])
@pytest.mark.parametrize('sigma', [0.1, 0.3, 0.6, 1.0, 1.4, 2.0, 5.0])
def test_blur_is_pillows(compute, sigma):
    """Pillow rounds after each of six passes, so that sharp noise may be three levels off."""
    images = pictures()
    draws = [PhotometricParams((), False, sigma)] * len(images)
    difference = np.abs(compute(images, draws) - reference(images, draws))
    assert difference.max() <= 3 and difference.mean() < 0.6 and (difference[0] <= 2).mean() > 0.97


def random_draws(count, seed=0):
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(count):
        factors = {name: rng.uniform(0.2, 1.8) for name in OPERATIONS[:3]} | {'hue': rng.uniform(-0.2, 0.2)}
        order = [OPERATIONS[number] for number in rng.permutation(4)]
        jitter = tuple((name, factors[name]) for name in order) if rng.random() < 0.8 else ()
        sigma = rng.uniform(0.1, 2) if rng.random() < 0.3 else 0.0
        draws.append(PhotometricParams(jitter, bool(rng.random() < 0.3), sigma, bool(rng.random() < 0.1)))
    return draws


def test_whole_draws_of_a_batch_each_its_own():
    """Nearly all pixels within two levels, though a rounding before a strong contrast is made larger by it."""
    draws = random_draws(48)
    images = [pictures()[number % 2] for number in range(len(draws))]
    expected = reference(images, draws)
    for compute, share in ((on_device, 0.995), (on_worker, 0.97)):
        got = compute(images, draws)
        smooth = np.abs(got - expected)[::2]
        solarised = np.array([draw.solarise for draw in draws])[::2]  # a level across 128 becomes a jump
        assert (smooth[~solarised] <= 2).mean() > share, compute.__name__
        assert np.abs(got - expected).mean() < 1
    alone = np.concatenate([on_device([image], [draw]) for image, draw in zip(images, draws, strict=True)])
    assert (np.abs(alone - on_device(images, draws)) <= 1).all(), 'a view depends on its own draw only'


def test_a_row_gives_back_its_draw():
    for draw in random_draws(20):
        again = PhotometricParams.from_row(draw.row())
        assert [name for name, _ in again.jitter] == [name for name, _ in draw.jitter]
        assert [factor for _, factor in again.jitter] == pytest.approx([factor for _, factor in draw.jitter])
        assert (again.grayscale, again.solarise) == (draw.grayscale, draw.solarise)
        assert again.blur_sigma == pytest.approx(draw.blur_sigma)


def test_autocast_does_not_reach_the_pixels():
    images, draws = pictures()[:2], random_draws(2, seed=3)
    plain = on_device(images, draws)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert (on_device(images, draws) == plain).all()


@pytest.mark.parametrize('sigma', [0.1, 0.5, 1.0, 2.0, 5.0])
def test_three_boxes_have_the_variance_of_the_gaussian(sigma):
    radius = blur_box_radius(sigma)
    places = np.arange(-20, 21)
    weights = np.clip(radius + 1 - abs(places), 0, 1) / (2 * radius + 1)
    assert weights.sum() == pytest.approx(1)
    assert 3 * (weights * places**2).sum() == pytest.approx(sigma**2)


@pytest.mark.slow
def test_the_compiled_augmentation_is_the_same():
    images, draws = pictures()[:2] * 4, random_draws(8)
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    rows = torch.from_numpy(np.stack([draw.row() for draw in draws]))
    plain, compiled = augment_batch(batch, rows), torch.compile(augment_batch)(batch, rows)
    assert ((plain - compiled).abs() <= 1).float().mean() > 0.999
