"""DINO's views: independent crops, flips, probabilities of their own, and what flips mean for the other methods."""

import random

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image, ImageOps
from torch.utils.data import default_collate
from torchvision.transforms import RandomResizedCrop

from mmssl_geo.augment import PhotometricParams, augment_view
from mmssl_geo.datasets import (
    MultiCrop,
    MultiViewPhotometricAugmentation,
    PackViews,
    RandomHorizontalFlips,
    RandomQuarterTurns,
    pipeline_steps,
)
from mmssl_geo.datasets.transforms.random_streams import sample_rng
from mmssl_geo.geometry import CropGroup, sample_crops
from mmssl_geo.models import MultiViewDataPreprocessor
from mmssl_geo.registry import TRANSFORMS
from mmssl_geo.structures import ViewRecord
from mmssl_geo.utils.errors import UserError
from tests.support import ROOT

PIPELINE = Config.fromfile(ROOT / 'configs/dino_vits16_coco.py').train_dataloader.dataset.pipeline


def sample(sample_idx=0, shape=(120, 160)):
    img = np.random.default_rng(7).integers(0, 255, (*shape, 3), dtype=np.uint8)
    return dict(img=img, seed=0, epoch=0, sample_idx=sample_idx, img_path='a.jpg')


def test_independent_crops_are_torchvisions():
    """The same means of area, aspect and place as `RandomResizedCrop`; crops may lie apart."""
    torch.manual_seed(0)
    num, size = 2000, (100, 150)
    crops = torch.tensor(
        sample_crops(size, CropGroup(1, (0.4, 1.0)), CropGroup(num, (0.05, 0.4)), random.Random(0), min_overlap=None)
    ).float()
    image = torch.empty(3, *size)
    tops = [RandomResizedCrop.get_params(image, [0.05, 0.4], [3 / 4, 4 / 3]) for _ in range(num)]
    theirs = torch.tensor([[x, y, x + w, y + h] for y, x, h, w in tops]).float()

    def facts(boxes):
        width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
        values = torch.stack([width * height / 15000, (width / height).log(), *boxes[:, :2].t()])
        return torch.cat([values.mean(dim=1), values.std(dim=1)]), values.std(dim=1)

    (ours, spread), (expected, _) = facts(crops[1:]), facts(theirs)
    assert ((ours - expected).abs() < 5 * spread.repeat(2) / num**0.5).all()
    groups, rng = (CropGroup(2, (0.1, 0.1)), CropGroup(0, (0.1, 0.1))), random.Random(1)
    one, other = torch.tensor([sample_crops(size, *groups, rng, min_overlap=None) for _ in range(200)]).unbind(dim=1)
    apart = (one[:, 2] <= other[:, 0]) | (other[:, 2] <= one[:, 0])
    assert apart.sum() > 20, 'no rule of overlap'


def test_crops_depend_on_no_other():
    """Other numbers for the local crops leave the global ones as they are, and no crop is drawn again."""

    def crops(local_scale):
        return sample_crops(
            (90, 90), CropGroup(2, (0.4, 1.0)), CropGroup(3, local_scale), random.Random(4), min_overlap=None
        )

    a, b = crops((0.05, 0.1)), crops((0.3, 0.4))
    assert a[:2] == b[:2] and a[2:] != b[2:]


@pytest.mark.parametrize('interpolation', ['bicubic', 'bilinear'])
def test_interpolation_of_the_resize(interpolation):
    results = MultiCrop(global_size=32, num_local=0, interpolation=interpolation)(sample())
    for view, record in results['views']:
        crop = Image.fromarray(results['img']).crop([int(c) for c in record.crop_box_src])
        expected = np.array(crop.resize((32, 32), getattr(Image.Resampling, interpolation.upper())), int)
        assert view.dtype == np.uint8 and np.abs(view - expected).max() <= 1
        assert (view == expected).mean() > 0.98


def test_unknown_interpolation():
    with pytest.raises(UserError, match="interpolation must be bilinear or bicubic, got 'cubic'"):
        MultiCrop(interpolation='cubic')


def coordinates(record):
    """View of an image whose pixels hold their own place, made with numpy alone; crops are not resized."""
    x1, y1, x2, y2 = (int(c) for c in record.crop_box_src)
    y, x = np.mgrid[y1:y2, x1:x2]
    view = np.stack([x, y, 0 * x], axis=-1).astype(np.uint8)
    return np.rot90(view[:, ::-1] if record.flipped else view, record.turn)


@pytest.mark.parametrize('turn', range(4))
@pytest.mark.parametrize('flipped', [False, True])
def test_a_record_follows_flip_and_turn(turn, flipped):
    record = ViewRecord((10.0, 20.0, 50.0, 80.0), (60, 40), turn, True, flipped)
    box_src = torch.tensor([12.0, 30.0, 20.0, 70.0])
    x1, y1, x2, y2 = (int(c) for c in record.boxes_to_view(box_src))
    inside = coordinates(record)[y1:y2, x1:x2, :2].reshape(-1, 2)
    assert inside.min(axis=0).tolist() == [12, 30] and inside.max(axis=0).tolist() == [19, 69]
    assert len(inside) == 8 * 40


@pytest.mark.parametrize(
    'steps',
    [
        [RandomHorizontalFlips()],
        [RandomHorizontalFlips(), RandomQuarterTurns()],
        [RandomQuarterTurns(), RandomHorizontalFlips()],
        [RandomHorizontalFlips(1.0), RandomQuarterTurns(), RandomHorizontalFlips(1.0)],
    ],
)
def test_records_say_what_was_done_in_any_order(steps):
    seen = set()
    for index in range(24):
        record = ViewRecord((10.0, 20.0, 50.0, 60.0), (40, 40), 0, True)
        results = dict(views=[(coordinates(record).copy(), record)] * 2, seed=0, epoch=0, sample_idx=index)
        for step in steps:
            results = step(results)
        for view, record in results['views']:
            assert (view == coordinates(record)).all()
            seen.add((record.flipped, record.turn))
    assert len(seen) == (2 if len(steps) == 1 else 8 if len(steps) == 2 else 4)


@pytest.mark.parametrize('prob,low,high', [(0.5, 140, 200), (0.0, 0, 0), (1.0, 340, 340), (0.1, 15, 55)])
def test_flips_happen_as_often_as_stated(prob, low, high):
    flips = []
    for index in range(170):
        results = RandomHorizontalFlips(prob)(MultiCrop(global_size=8, num_local=0)(sample(index, (12, 12))))
        flips += [record.flipped for _, record in results['views']]
    assert low <= sum(flips) <= high
    if prob == 0.5:
        assert {tuple(flips[i : i + 2]) for i in range(0, 340, 2)} == {(a, b) for a in (0, 1) for b in (0, 1)}


def test_photometric_augmentation_of_each_view_have_the_stated_frequencies():
    settings = {key: value for key, value in PIPELINE.photometric.items() if key != 'type'}
    transform = MultiViewPhotometricAugmentation(**settings)
    for view, blur, solarise in ((0, 1.0, 0.0), (1, 0.1, 0.2), (2, 0.5, 0.0), (9, 0.5, 0.0)):
        draws = [
            PhotometricParams.from_row(transform.sampler.sample(np.random.default_rng([view, i]), 10)[view])
            for i in range(3000)
        ]
        share = [
            np.mean([draw.blur_sigma > 0 for draw in draws]),
            np.mean([draw.solarise for draw in draws]),
            np.mean([bool(draw.jitter) for draw in draws]),
            np.mean([draw.grayscale for draw in draws]),
        ]
        assert share == pytest.approx([blur, solarise, 0.8, 0.2], abs=0.03)
        assert all(share[i] == (blur, solarise)[i] for i in range(2) if (blur, solarise)[i] in (0.0, 1.0))
        for name, width in (('brightness', 0.4), ('contrast', 0.4), ('saturation', 0.2), ('hue', 0.1)):
            values = np.array([dict(draw.jitter)[name] for draw in draws if draw.jitter]) - (name != 'hue')
            assert np.abs(values).max() <= width and np.abs(values).mean() == pytest.approx(width / 2, rel=0.06)


def test_solarisation_inverts_from_128_on_and_comes_last():
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    out = augment_view(ramp, PhotometricParams((), False, 0.0, True))[..., 0].ravel()
    assert out.tolist() == [*range(128), *range(127, -1, -1)]
    blurred = augment_view(ramp, PhotometricParams((('brightness', 1.3),), True, 1.5))
    both = augment_view(ramp, PhotometricParams((('brightness', 1.3),), True, 1.5, True))
    assert (both == np.asarray(ImageOps.solarize(Image.fromarray(blurred)))).all()


def packed(steps, num=2):
    results = []
    for index in range(num):
        result = sample(index)
        for step in steps:
            result = step(result)
        results.append(result)
    return results


def test_dinos_pipeline_packs_its_flips():
    steps = [TRANSFORMS.build(step) for step in pipeline_steps(PIPELINE)]
    one, two = packed(steps)
    assert one['inputs']['global'].shape == (2, 3, 224, 224) and one['inputs']['local'].shape == (8, 3, 96, 96)
    for result, index in ((one, 0), (two, 1)):
        expected = (sample_rng(sample(index), 'flip').random(10) < 0.5).tolist()
        assert result['flipped'].dtype == torch.bool and result['flipped'].tolist() == expected
        assert (result['turns'] == 0).all()


@pytest.mark.parametrize('prob', [0.0, 0.5, 1.0])
def test_flipped_views_are_refused_where_places_are_compared(prob):
    crop = MultiCrop(global_size=32, local_size=16, num_local=2)
    data = default_collate(packed([crop, RandomHorizontalFlips(prob), RandomQuarterTurns(), PackViews()], num=6))
    views = MultiViewDataPreprocessor()(data)['views']
    assert views.any_flipped is (prob > 0.0)  # 0.5 flips some and leaves others
    assert bool(data['flipped'].all()) == (prob == 1.0)
    if prob == 0.0:
        assert set(views.pairs()) == {'global', 'local'}
    else:
        with pytest.raises(UserError, match=r'some views are flipped.*train_dataloader\.dataset\.pipeline\.flips=None'):
            views.pairs()
