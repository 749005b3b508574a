"""The distribution of views, against transforms composed of torchvision's and Pillow's as in GTSA's official code."""

import random

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from torch.utils.data import default_collate
from torchvision.transforms import ColorJitter, RandomGrayscale

from mmssl_geo.datasets import MultiCrop, MultiViewPhotometricAugmentation, PackViews, RandomQuarterTurns
from mmssl_geo.models import MultiViewDataPreprocessor

IMAGES, DRAWS, SIZE = 6, 30, 24
CROP = MultiCrop(global_size=SIZE, num_local=0)


def photos():
    """Coloured smooth noise, each with a different brightness and contrast."""
    for seed in range(IMAGES):
        rng = np.random.default_rng(seed)
        low, high = 20 * seed, 255 - 15 * (seed % 3)
        coarse = rng.integers(low, high, (8, 10, 3), dtype=np.uint8)
        yield np.array(Image.fromarray(coarse).resize((100, 80), Image.Resampling.BICUBIC))


def facts(views):
    """Mean, deviation and roughness of each view `(N, 3, S, S)` and whether it is grey, `(N, 8)`."""
    grey = views.mean(dim=1)
    laplacian = (
        4 * grey[:, 1:-1, 1:-1] - grey[:, :-2, 1:-1] - grey[:, 2:, 1:-1] - grey[:, 1:-1, :-2] - grey[:, 1:-1, 2:]
    )
    is_grey = (views.amax(dim=1) - views.amin(dim=1)).amax(dim=(1, 2)) < 0.5
    return torch.cat(
        [
            views.mean(dim=(2, 3)),
            views.std(dim=(2, 3)),
            laplacian.abs().mean(dim=(1, 2))[:, None],
            is_grey[:, None].float(),
        ],
        dim=1,
    )


def samples(where):
    pipeline = (CROP, MultiViewPhotometricAugmentation(where=where), RandomQuarterTurns(), PackViews())
    for number, photo in enumerate(photos()):
        for epoch in range(DRAWS):
            sample = dict(img=photo, seed=0, epoch=epoch, sample_idx=number, img_path='')
            for step in pipeline:
                sample = step(sample)
            yield sample


def ours(where):
    preprocessor = MultiViewDataPreprocessor(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return facts(preprocessor(default_collate(list(samples(where))))['views'].global_images)


def official():
    torch.manual_seed(0)
    random.seed(0)
    jitter, grayscale = ColorJitter(0.8, 0.8, 0.8, 0.2), RandomGrayscale(0.2)
    views = []
    for number, photo in enumerate(photos()):
        for epoch in range(DRAWS):
            for view, _ in CROP(dict(img=photo, seed=1, epoch=epoch, sample_idx=number))['views']:
                view = Image.fromarray(view)
                view = grayscale(jitter(view) if random.random() < 0.8 else view)
                if random.random() < 0.2:
                    view = view.filter(ImageFilter.GaussianBlur(random.uniform(0.1, 2)))
                views.append(torch.from_numpy(np.array(view)).permute(2, 0, 1).float())
    return facts(torch.stack(views))


@pytest.fixture(scope='module')
def expected():
    return official()


@pytest.mark.parametrize('where', ['worker', 'device'])
def test_views_are_distributed_as_the_official_ones(where, expected):
    """Means and deviations of eight facts of the views, within four standard errors."""
    got = ours(where)
    assert got.shape == expected.shape == (2 * IMAGES * DRAWS, 8)
    error = ((got.var(dim=0) + expected.var(dim=0)) / len(got)).sqrt()
    assert ((got.mean(dim=0) - expected.mean(dim=0)).abs() < 4 * error).all()
    assert (got.std(dim=0) / expected.std(dim=0) - 1).abs().max() < 0.2


def test_device_and_worker_show_the_same_views():
    """The same draws: views differ by rounding only."""
    difference = ours('worker') - ours('device')
    assert difference[:, :6].abs().mean() < 0.5 and (difference[:, 7] == 0).all()


def test_draws_have_the_ranges_and_shares_of_the_official_code():
    """20,000 views by the defaults, against `ColorJitter(0.8, 0.8, 0.8, 0.2)` with p 0.8, and the rest of the code."""
    jitter = ColorJitter(0.8, 0.8, 0.8, 0.2)
    sampler = MultiViewPhotometricAugmentation().sampler
    rows = torch.from_numpy(
        np.concatenate([sampler.sample(np.random.default_rng(seed), 10) for seed in range(2000)])
    ).double()
    jittered = rows[rows[:, 0] >= 0]

    def close(share, expected):
        return abs(share - expected) < 5 * (expected * (1 - expected) / len(rows)) ** 0.5

    assert close(len(jittered) / len(rows), 0.8) and close((rows[:, 8] > 0).double().mean(), 0.2)
    assert close((rows[:, 9] > 0).double().mean(), 0.2) and not rows[:, 10].any()
    assert (jittered[:, :4].sort(dim=1).values == torch.arange(4)).all(), 'each operation once'
    orders = torch.unique(jittered[:, :4], dim=0, return_counts=True)[1]
    assert len(orders) == 24 and (orders - len(jittered) / 24).abs().max() < 5 * (len(jittered) / 24) ** 0.5
    drawn = {
        name: jittered[:, 4:8][jittered[:, :4] == number]
        for number, name in enumerate(('brightness', 'contrast', 'saturation', 'hue'))
    }
    drawn['sigma'] = rows[rows[:, 9] > 0, 9]
    levels = torch.linspace(0.05, 0.95, 19, dtype=torch.double)
    for name, values in drawn.items():
        low, high = (0.1, 2.0) if name == 'sigma' else getattr(jitter, name)
        uniform = (values - low) / (high - low)
        assert uniform.min() >= -1e-6 and uniform.max() <= 1 + 1e-6, name
        assert (torch.quantile(uniform, levels) - levels).abs().max() < 2.5 * len(values) ** -0.5, name
