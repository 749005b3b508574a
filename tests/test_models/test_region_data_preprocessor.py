import numpy as np
import pytest
import torch

from mmssl_geo.models import RegionViewDataPreprocessor
from mmssl_geo.models.data_preprocessors import roll_randomly

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def batch(batch_size=4, side=6, **extra):
    """Image b of view x2 is 10 b + 5 everywhere, of view x3 200 + b; the foreground is the left half."""
    values = torch.arange(batch_size, dtype=torch.uint8).view(-1, 1, 1, 1)
    filled = torch.ones(batch_size, 3, side, side, dtype=torch.uint8)
    foreground = torch.zeros(batch_size, side, side, dtype=torch.bool)
    foreground[:, :, : side // 2] = True
    inputs = dict(x1=filled * 7, x2=filled * (10 * values + 5), x3=filled * (200 + values))
    return dict(
        inputs=inputs,
        regions={name: torch.rand(batch_size, 2, 4) for name in inputs},
        foreground=foreground,
        regions_fallback=torch.tensor([True] + [False] * (batch_size - 1)),
        region_shares=dict(x3=torch.full((batch_size, 2), 0.4)),
        img_path=['a'] * batch_size,
        sample_idx=torch.arange(batch_size),
        **extra,
    )


def grey(images):
    """Grey levels of normalised images."""
    return images * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)


def test_normalised_by_imagenet():
    views = RegionViewDataPreprocessor()(batch())['views']
    np.testing.assert_allclose(views.images['x1'][2, :, 3, 3], (7 - np.array(MEAN)) / np.array(STD), rtol=1e-5)
    assert views.batch_size == 4 and views.regions['x3'].shape == (4, 2, 4)


def test_the_background_is_another_image():
    seen = set()
    for _ in range(40):
        views = RegionViewDataPreprocessor()(batch())['views']
        x3 = grey(views.images['x3'])
        own = torch.arange(4).view(4, 1, 1, 1) + 200.0
        torch.testing.assert_close(x3[..., :3], own.expand(4, 3, 6, 3), rtol=0, atol=1e-3)
        behind = (x3[:, 0, 0, 5] - 5) / 10
        torch.testing.assert_close(x3[..., 3:], (10 * behind + 5).view(4, 1, 1, 1).expand(4, 3, 6, 3))
        steps = (behind.round().long() - torch.arange(4)) % 4
        assert len(set(steps.tolist())) == 1
        seen.add(int(steps[0]))
    assert seen == {1, 2, 3}, 'never the image itself, and every other one'
    assert views.mixed is True and views.statistics()['mixed_share'] == 1


def test_clean_views_do_not_change():
    data = batch()
    views = RegionViewDataPreprocessor()(data)['views']
    torch.testing.assert_close(grey(views.images['x2']), data['inputs']['x2'].float(), rtol=0, atol=1e-3)
    assert views.monitor_images is views.images['x2']


def test_the_draw_uses_the_generator_of_torch():
    images = torch.arange(50).view(50, 1, 1, 1)
    torch.manual_seed(3)
    first = roll_randomly(images)
    torch.manual_seed(3)
    assert torch.equal(roll_randomly(images), first)
    assert sorted(first.flatten().tolist()) == list(range(50))


def test_a_batch_of_one_keeps_its_background():
    data = batch(batch_size=1)
    views = RegionViewDataPreprocessor()(data)['views']
    torch.testing.assert_close(grey(views.images['x3']), data['inputs']['x3'].float(), rtol=0, atol=1e-3)
    assert views.mixed is False and views.statistics()['mixed_share'] == 0


def test_without_x3():
    data = batch()
    del data['inputs']['x3'], data['foreground']
    views = RegionViewDataPreprocessor()(data)['views']
    assert set(views.images) == {'x1', 'x2'} and views.mixed is None and 'mixed_share' not in views.statistics()


def test_statistics():
    statistics = RegionViewDataPreprocessor()(batch())['views'].statistics()
    assert {name: float(value) for name, value in statistics.items()} == pytest.approx(
        dict(cut_share_x3=0.4, mixed_share=1.0, fallback_share=0.25)
    )


def test_boxes_have_the_index_of_their_image():
    views = RegionViewDataPreprocessor()(batch())['views']
    boxes_view, image = views.boxes_view('x2')
    assert image.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert torch.equal(boxes_view[5], views.regions['x2'][2, 1])
