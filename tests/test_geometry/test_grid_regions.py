import numpy as np
import pytest

from mmssl_geo.geometry import grid_boxes


def many(draws=3000, **options):
    """`(draws, 9, 4)` boxes of the unit square."""
    rng = np.random.default_rng(0)
    return np.stack([grid_boxes(rng, **options) for _ in range(draws)])


def test_one_box_a_cell_around_a_point_of_its_middle_half():
    boxes = many(area=(0.001, 0.002))  # so small that none is clipped: centres can be read off
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2 * 3
    within_cell = centres - [[k % 3, k // 3] for k in range(9)]
    assert within_cell.min() > 0.25 and within_cell.max() < 0.75
    assert abs(within_cell.mean(axis=(0, 1)) - 0.5).max() < 0.005
    assert np.quantile(within_cell, [0.1, 0.5, 0.9]) == pytest.approx([0.3, 0.5, 0.7], abs=0.01)  # uniform


def test_area_is_uniform_and_aspect_log_uniform_and_they_are_independent():
    boxes = many()[:, 4]  # the middle box: half sides up to 0.39, so a centre in 5/12..7/12 is hardly ever clipped
    inside = (boxes[:, :2] > 0).all(1) & (boxes[:, 2:] < 1).all(1)
    sides = (boxes[:, 2:] - boxes[:, :2])[inside]
    area, log_aspect = sides.prod(1), np.log2(sides[:, 0] / sides[:, 1])
    assert inside.mean() > 0.99
    assert 0.12 <= area.min() and area.max() <= 0.30 and abs(log_aspect).max() <= 1
    assert np.quantile(area, [0.25, 0.5, 0.75]) == pytest.approx([0.165, 0.21, 0.255], abs=0.006)
    assert np.quantile(log_aspect, [0.25, 0.5, 0.75]) == pytest.approx([-0.5, 0, 0.5], abs=0.05)
    assert abs(np.corrcoef(area, log_aspect)[0, 1]) < 0.06


@pytest.mark.parametrize('size', [(1, 1), (480, 640), (1, 4000), (2000, 3)])
def test_clipped_never_empty_and_stretched_with_the_image(size):
    boxes = np.stack([grid_boxes(np.random.default_rng(seed), size) for seed in range(500)])
    unit = np.stack([grid_boxes(np.random.default_rng(seed)) for seed in range(500)])
    height, width = size
    assert np.allclose(boxes, unit * [width, height, width, height])
    assert boxes.min() == 0 and boxes[..., 2].max() == width and boxes[..., 3].max() == height
    assert (boxes[..., :2] < boxes[..., 2:]).all()


def test_a_finer_grid_and_the_same_draw_again():
    assert grid_boxes(np.random.default_rng(1), grid=5).shape == (25, 4)
    assert np.array_equal(grid_boxes(np.random.default_rng(1)), grid_boxes(np.random.default_rng(1)))


@pytest.mark.parametrize(
    'options',
    [
        dict(grid=0),
        dict(area=(0, 0.1)),
        dict(area=(0.3, 0.2)),
        dict(area=(0.3, 1.2)),
        dict(aspect=(0, 1)),
        dict(aspect=(2, 1)),
    ],
)
def test_impossible_settings(options):
    with pytest.raises(ValueError, match='cannot be sampled'):
        grid_boxes(np.random.default_rng(0), **options)
