import math
import random

import pytest
import torch

from mmssl_geo.geometry import CropGroup, intersect_boxes, sample_crops

GLOBAL, LOCAL = CropGroup(2, (0.3, 1.0)), CropGroup(8, (0.1, 0.3))


def draw(sizes, seed=0, **kwargs):
    return draw_groups(sizes, GLOBAL, LOCAL, seed, **kwargs)


def draw_groups(sizes, global_group, local_group, seed, **kwargs):
    """Crops `(N, V, 4)` of images of these sizes, in float32."""
    rng = random.Random(seed)
    return torch.tensor([sample_crops(size, global_group, local_group, rng, **kwargs) for size in sizes]).float()


def area(boxes):
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def test_scale_aspect_bounds_and_overlap():
    height, width = 300, 400
    boxes = draw([[height, width]] * 500)
    assert (boxes[..., :2] >= 0).all() and (boxes[..., 2] <= width).all() and (boxes[..., 3] <= height).all()
    assert torch.equal(boxes, boxes.round())
    share = area(boxes) / (height * width)
    slack = 0.02  # whole pixels
    assert share[:, :2].min() >= 0.3 - slack and share[:, :2].max() <= 1
    assert share[:, 2:].min() >= 0.1 - slack and share[:, 2:].max() <= 0.3 + slack
    aspect = (boxes[..., 2] - boxes[..., 0]) / (boxes[..., 3] - boxes[..., 1])
    assert aspect.min() >= 0.75 - slack and aspect.max() <= 4 / 3 + slack
    overlap = area(intersect_boxes(boxes[:, :2, None], boxes[:, None]))
    assert overlap[:, 0, 1].min() > 0.02 * height * width
    assert overlap[:, :, 2:].min() > 0.01 * height * width


def test_two_global_crops_share_twice_as_much_as_a_global_and_a_local_one():
    small = CropGroup(2, (0.1, 0.1)), CropGroup(8, (0.1, 0.1))
    boxes = draw_groups([(300, 400)] * 400, *small, seed=2, max_draws=400)
    share = area(intersect_boxes(boxes[:, :2, None], boxes[:, None])) / (300 * 400)
    assert 0.02 < share[:, 0, 1].min() < 0.025
    assert 0.01 < share[:, :, 2:].min() < 0.0125


def test_a_crop_alone_is_distributed_as_a_random_resized_crop():
    """Area uniform in its range, log-aspect uniform, position uniform over what is left."""
    group = CropGroup(1, (0.1, 0.3))
    boxes = draw_groups([(1000, 1000)] * 20000, group, CropGroup(0, (0.1, 0.3)), seed=1)[:, 0]
    share = area(boxes).double() / 1e6
    log_aspect = ((boxes[:, 2] - boxes[:, 0]) / (boxes[:, 3] - boxes[:, 1])).double().log()
    x, y = (boxes[:, axis].double() / (1000 - (boxes[:, axis + 2] - boxes[:, axis])).double() for axis in (0, 1))
    for values, low, high in ((share, 0.1, 0.3), (log_aspect, math.log(0.75), math.log(4 / 3)), (x, 0, 1), (y, 0, 1)):
        uniform = (values - low) / (high - low)
        expected = torch.linspace(0.1, 0.9, 9, dtype=torch.double)
        assert (torch.quantile(uniform, expected) - expected).abs().max() < 0.02


def test_every_place_is_drawn_and_none_outside():
    """Whole pixels: of a crop of 2 in 4 pixels all three places, the last one included, alike often."""
    group, none = CropGroup(1, (0.25, 0.25), (1, 1)), CropGroup(0, (1.0, 1.0))
    boxes = draw_groups([(4, 4)] * 9000, group, none, seed=3)[:, 0]
    for axis in (0, 1):
        counts = torch.bincount(boxes[:, axis].long())
        assert len(counts) == 3 and (counts - 3000).abs().max() < 5 * (9000 * 2 / 9) ** 0.5


def test_ten_attempts_before_the_central_crop():
    """A wide image holds no crop of its whole area; the central one is the largest of the allowed aspect."""
    group, none = CropGroup(1, (1.0, 1.0)), CropGroup(0, (1.0, 1.0))
    assert draw_groups([(100, 400)], group, none, seed=0)[0, 0].tolist() == [133, 0, 266, 100]
    assert draw_groups([(400, 100)], group, none, seed=0)[0, 0].tolist() == [0, 133, 100, 266]

    class Counting(random.Random):
        count = 0

        def uniform(self, low, high):
            self.count += 1
            return super().uniform(low, high)

    rng = Counting(0)
    sample_crops((100, 400), group, none, rng)
    assert rng.count == 2 * 10, 'area and aspect of each attempt'


@pytest.mark.parametrize('size', [(1, 4000), (4000, 1), (1, 1), (2, 3), (7, 5000)])
def test_any_image_ends_with_crops_that_all_overlap(size):
    boxes = draw([list(size)])[0]
    assert (area(boxes) > 0).all()
    assert (boxes[:, 2] <= size[1]).all() and (boxes[:, 3] <= size[0]).all()
    assert (area(intersect_boxes(boxes[:2, None], boxes[None])) > 0).all()


def test_fallback_to_the_best_draw_and_to_the_whole_image():
    tiny = CropGroup(40, (0.01, 0.01))
    boxes = draw_groups([(200, 200)], CropGroup(2, (0.3, 0.3)), tiny, seed=0, min_overlap=0.4, max_draws=1)[0]
    share = area(boxes[2:]) / 200**2
    whole = (boxes[2:] == torch.tensor([0.0, 0.0, 200.0, 200.0])).all(dim=1)
    assert 0 < whole.sum() < 40, 'some single draws meet the globals, some do not'
    assert ((share < 0.02) | whole).all()
    assert (area(intersect_boxes(boxes[:2, None], boxes[None])) > 0).all()


def test_the_generator_is_the_only_source_of_randomness():
    state = torch.get_rng_state(), random.getstate()
    assert torch.equal(draw([[480, 640]], seed=5), draw([[480, 640]], seed=5))
    assert not torch.equal(draw([[480, 640]], seed=5), draw([[480, 640]], seed=6))
    assert torch.equal(state[0], torch.get_rng_state()) and state[1] == random.getstate()


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match='crop scale must satisfy'):
        CropGroup(2, (0.5, 0.2))
    with pytest.raises(ValueError, match='crop ratio must satisfy'):
        CropGroup(2, (0.3, 1), (2, 1))
    with pytest.raises(ValueError, match='must not be negative'):
        CropGroup(-1, (0.3, 1))
    with pytest.raises(ValueError, match='at least one global crop'):
        sample_crops((9, 9), CropGroup(0, (0.3, 1)), LOCAL, random.Random(0))
    with pytest.raises(ValueError, match='min_overlap must be in'):
        draw([[9, 9]], min_overlap=0.7)
    with pytest.raises(ValueError, match='max_draws must be at least 1'):
        draw([[9, 9]], max_draws=0)
