import numpy as np
import pytest
import torch

from mmssl_geo.geometry import (
    box_cells,
    mix_background,
    region_mask,
    sample_window,
    shift_array,
    shift_boxes,
    shift_range,
)
from tests.support.boxes import pixels_of, random_boxes

CASES = 2000


def generated(seed, cases=CASES):
    rng = np.random.default_rng(seed)
    for _ in range(cases):
        size = tuple(rng.integers(1, 50, 2).tolist())
        yield rng, size, random_boxes(rng, size)[: rng.integers(1, 8)]


def inside_image(boxes, size):
    """Boxes clipped to the image, without those of no extent."""
    boxes = boxes.clip(0, size[::-1] * 2)
    return boxes[(boxes[:, :2] < boxes[:, 2:]).all(axis=1)]


def test_region_mask_is_the_union_of_the_pixels_of_the_boxes():
    covered = 0
    for _, size, boxes in generated(0):
        expected = np.any([pixels_of(box, size) for box in boxes], axis=0)
        assert (region_mask(boxes, size) == expected).all()
        covered += expected.any() and not expected.all()
    assert covered > CASES / 2
    assert not region_mask(np.empty((0, 4)), (3, 4)).any()


def test_box_cells_by_hand():
    cells = box_cells([(0.5, 0.4, 2.5, 2.6), (0.51, 0, 2.51, 2), (-3, 1, 99, 2)], (4, 5))
    assert cells.tolist() == [[0, 0, 2, 3], [1, 0, 3, 2], [0, 1, 5, 2]]


def test_every_shift_of_the_range_keeps_all_boxes_inside_and_no_other_does():
    moved_at_all = 0
    for rng, size, boxes in generated(1):
        lowest, highest = shift_range(boxes, size)
        assert (lowest <= 0).all() and (highest >= 0).all()
        kept = inside_image(boxes, size)
        if len(kept) == 0:
            assert not lowest.any() and not highest.any()
            continue
        for shift in (lowest, highest, rng.integers(lowest, highest, endpoint=True)):
            expected = kept + np.tile(shift, 2)
            assert expected.min() >= 0 and (expected[:, 2:] <= size[::-1]).all()
            assert inside_image(shift_boxes(boxes, shift, size), size) == pytest.approx(expected)
        for axis in (0, 1):
            assert (kept[:, axis] + lowest[axis] - 1 < 0).any()
            assert (kept[:, 2 + axis] + highest[axis] + 1 > size[1 - axis]).any()
        moved_at_all += (highest - lowest).any()
    assert moved_at_all > CASES / 10


def test_boxes_that_fill_the_image_do_not_move():
    lowest, highest = shift_range([(0, 3, 6, 5), (4, 2, 10, 7)], (12, 10))
    assert lowest.tolist() == [0, -2] and highest.tolist() == [0, 5]
    lowest, highest = shift_range([(0.4, 0, 9.8, 12)], (12, 10))
    assert not lowest.any() and not highest.any()


def test_regions_and_their_pixels_move_alike():
    for rng, size, boxes in generated(2):
        shift = rng.integers(*shift_range(boxes, size), endpoint=True)
        boxes = inside_image(boxes, size)
        moved = region_mask(shift_boxes(boxes, shift, size), size)
        assert (moved == shift_array(region_mask(boxes, size), shift, False)).all()


def test_shift_array_by_hand_and_beyond_the_image():
    image = np.arange(12).reshape(3, 4)
    assert shift_array(image, (1, -2), -1).tolist() == [[-1, 8, 9, 10], [-1] * 4, [-1] * 4]
    assert shift_array(image, (-3, 1), -1).tolist() == [[-1] * 4, [3, -1, -1, -1], [7, -1, -1, -1]]
    assert (shift_array(image, (9, 0), -1) == -1).all() and (shift_array(image, (0, -3), -1) == -1).all()
    assert shift_array(np.zeros((2, 2, 3), np.uint8), (0, 1), (7, 8, 9))[0, 1].tolist() == [7, 8, 9]


def test_windows_have_the_wanted_area_and_lie_anywhere():
    rng, size = np.random.default_rng(3), (200, 300)
    windows = np.array([sample_window(size, (0.3, 0.8), rng) for _ in range(3000)])
    sides = windows[:, 2:] - windows[:, :2]
    area = sides.prod(axis=1) / 60000
    assert area.min() == pytest.approx(0.3, abs=0.01) and area.max() == pytest.approx(0.8, abs=0.01)
    assert area.mean() == pytest.approx(0.55, abs=0.015)
    shares = sides / (300, 200)
    assert shares.mean(axis=0)[0] == pytest.approx(shares.mean(axis=0)[1], abs=0.02)
    assert windows[:, :2].min() == 0 and (windows[:, 2:].max(axis=0) == (300, 200)).all()
    centres = (windows[:, :2] + windows[:, 2:]) / 2
    assert centres.mean(axis=0) == pytest.approx([150, 100], abs=2)


def test_windows_of_tiny_images():
    rng = np.random.default_rng(4)
    for size in [(1, 1), (1, 400), (3, 2)]:
        for _ in range(50):
            x1, y1, x2, y2 = sample_window(size, (0.01, 1), rng)
            assert 0 <= x1 < x2 <= size[1] and 0 <= y1 < y2 <= size[0]


def test_background_shows_where_there_is_no_foreground():
    foregrounds, backgrounds = torch.full((2, 3, 4, 5), 1.0), torch.full((2, 3, 4, 5), 2.0)
    masks = torch.zeros(2, 4, 5, dtype=torch.bool)
    masks[0, 1, 2] = masks[1, 3] = True
    mixed = mix_background(foregrounds, masks, backgrounds)
    assert mixed.shape == (2, 3, 4, 5)
    assert (mixed[0, :, 1, 2] == 1).all() and mixed[0].sum() == 3 * (2 * 20 - 1)
    assert (mixed[1, :, 3] == 1).all() and (mixed[1, :, :3] == 2).all()
