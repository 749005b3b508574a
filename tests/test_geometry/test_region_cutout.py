import json
from pathlib import Path

import numpy as np
import pytest

from mmssl_geo.geometry import grid_boxes, region_cutout, token_cutout
from tests.support.boxes import pixels_of, random_boxes

OFFICIAL = json.loads((Path(__file__).parents[1] / 'data' / 'rcc_statistics.json').read_text(encoding='utf-8'))
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CASES = 3000


def bounding_sides(mask):
    """Height and width of the rectangle that a mask is; asserts that it is one."""
    rows, columns = mask.any(axis=1), mask.any(axis=0)
    assert mask.sum() == rows.sum() * columns.sum() and np.diff(np.flatnonzero(rows)).max(initial=1) == 1
    return int(rows.sum()), int(columns.sum())


def test_every_hole_obeys_the_bound_whatever_boxes_come_in():
    rng = np.random.default_rng(0)
    seen = {'empty': 0, 'cut': 0, 'changed later': 0}
    for _ in range(CASES):
        size = tuple(rng.integers(1, 60, 2).tolist())
        low, high = np.sort(rng.uniform(0, 1, 2))
        low = high if rng.random() < 0.3 else low
        boxes = random_boxes(rng, size)
        cut = region_cutout(boxes, (low, high), size, rng, aspect_jitter=rng.choice([0.0, 0.5, 4.0]))
        covered = np.zeros(size, dtype=bool)
        for box, share, when_cut in zip(boxes, cut.shares, cut.shares_when_cut, strict=True):
            inside = pixels_of(box, size)
            covered |= inside
            if not inside.any():
                assert share == when_cut == 0
                seen['empty'] += 1
                continue
            longer = max(inside.any(axis=0).sum(), inside.any(axis=1).sum())
            assert (low - 1 / longer) / 2 - 1e-6 <= when_cut <= high + 1e-6
            assert share == pytest.approx(cut.holes[inside].mean(), abs=1e-6)
            seen['cut'] += when_cut > 0
            seen['changed later'] += share != when_cut
        assert not (cut.holes & ~covered).any(), 'nothing is cut outside the boxes'
    assert min(seen.values()) > CASES, seen


def test_a_box_alone_gets_one_rectangle_less_than_a_row_too_small():
    rng = np.random.default_rng(1)
    exact = 0
    for _ in range(CASES):
        size = tuple(rng.integers(1, 80, 2).tolist())
        share = rng.uniform(0, 1)
        cut = region_cutout([[0, 0, size[1], size[0]]], (share, share), size, rng, aspect_jitter=rng.choice([0, 1.0]))
        area, target = cut.holes.sum(), share * size[0] * size[1]
        assert area <= target + 1e-6
        assert share - 1 / max(size) < cut.shares[0] + 1e-6
        assert target - area < min(min(size), np.sqrt(target) + 1) + 1e-6
        if area:
            bounding_sides(cut.holes)
            exact += target - area < 1
    assert exact > CASES / 20


def test_a_nested_box_is_restored_left_or_cut_further():
    big, small, size, (low, high) = (10, 10, 110, 90), (10, 10, 50, 40), (100, 120), (0.3, 0.45)
    inside = pixels_of(small, size)
    branches = {'restored': 0, 'left': 0, 'cut further': 0}
    for seed in range(300):
        before = region_cutout([big], (low, high), size, np.random.default_rng(seed)).holes
        cut = region_cutout([small, big], (low, high), size, np.random.default_rng(seed))
        share = before[inside].mean()
        assert (cut.holes == before)[~inside].all(), 'the big one is processed first'
        if share > high:
            branches['restored'] += 1
            bounding_sides(cut.holes & inside)
            assert low - 1 / 40 < cut.shares[0] <= high
        elif share > max(0, low - 1 / 40):
            branches['left'] += 1
            assert (cut.holes == before).all()
        else:
            branches['cut further'] += bool(cut.holes.sum() > before.sum())  # unless the two holes overlap fully
            assert cut.holes[before].all()
            assert cut.shares[0] <= high
    assert min(branches.values()) > 10, branches


def test_of_identical_boxes_the_first_is_cut():
    for seed in range(50):
        cut = region_cutout([(5, 5, 45, 35)] * 3, (0.3, 0.45), (40, 50), np.random.default_rng(seed))
        bounding_sides(cut.holes)
        assert len(set(cut.shares)) == 1


def test_holes_have_the_aspect_of_the_box_up_to_the_jitter():
    rng = np.random.default_rng(2)
    for jitter, spread in ((0.0, 1.02), (0.5, 1.5)):
        ratios = []
        for _ in range(300):
            height, width = bounding_sides(region_cutout([(0, 0, 600, 300)], (0.2, 0.2), (300, 600), rng, jitter).holes)
            ratios.append(width / height / 2)
        assert 1 / spread * 0.98 < min(ratios) <= max(ratios) < spread * 1.02
        assert max(ratios) / min(ratios) > (spread**2) * 0.9 or not jitter
        assert np.log(ratios).mean() == pytest.approx(0, abs=0.07)


def test_the_shorter_side_is_rounded_to_the_nearest():
    rng, errors = np.random.default_rng(8), []
    for _ in range(500):
        share, shorter = rng.uniform(0.2, 0.5), int(rng.integers(6, 20))
        holes = region_cutout([(0, 0, 60, shorter)], (share, share), (shorter, 60), rng).holes
        errors.append(abs(bounding_sides(holes)[0] - np.sqrt(share) * shorter))
    assert max(errors) <= 0.5 and np.mean(errors) == pytest.approx(0.25, abs=0.04)


def test_holes_lie_anywhere_in_the_box_and_shares_are_drawn_from_the_range():
    rng = np.random.default_rng(3)
    cuts = [region_cutout([(4, 6, 24, 26)], (0.2, 0.6), (40, 40), rng) for _ in range(2000)]
    edges = [(np.flatnonzero(cut.holes.any(axis=axis))[[0, -1]]) for cut in cuts for axis in (0, 1)]
    columns, rows = np.array(edges[::2]), np.array(edges[1::2])
    assert columns.min() == 4 and columns.max() == 23 and rows.min() == 6 and rows.max() == 25
    assert columns.mean() == pytest.approx(13.5, abs=0.3) and rows.mean() == pytest.approx(15.5, abs=0.3)
    shares = np.array([cut.shares[0] for cut in cuts])
    assert shares.mean() == pytest.approx(0.4 - 0.5 / 20, abs=0.02) and shares.min() < 0.22 and shares.max() > 0.56


def test_no_share_and_the_whole_share():
    boxes, rng = [(0, 0, 7, 5), (7, 1, 20, 9)], np.random.default_rng(4)
    assert not region_cutout(boxes, (0, 0), (10, 20), rng).holes.any()
    assert region_cutout(boxes, (1, 1), (10, 20), rng).shares.tolist() == [1, 1]
    nothing = region_cutout(np.empty((0, 4)), (0.3, 0.4), (10, 20), rng)
    assert nothing.shares.shape == (0,) and not nothing.holes.any()


@pytest.mark.parametrize(
    'cut',
    [
        lambda boxes: region_cutout(boxes, (0.3, 0.4), (10, 10), np.random.default_rng(0)),
        lambda boxes: token_cutout(boxes, 0.3, (10, 10), np.random.default_rng(0)),
    ],
)
def test_a_coordinate_that_is_no_number_is_refused(cut):
    with pytest.raises(ValueError, match='not a number'):
        cut([(0, 0, np.nan, 5)])


def compare_means(values, expected, rounding):
    """The mean of per-image values against one over the official draws, to four standard errors of the difference."""
    error = np.std(values) * np.sqrt(1 / len(values) + 1 / OFFICIAL['draws'])
    assert np.mean(values) == pytest.approx(expected, abs=4 * error + rounding)


def compare_quantile(values, share, quantile):
    """`share` of the official values lie below `quantile`; `values` is (images, values of an image)."""
    below, up_to = (values < quantile - 1e-4).mean(axis=1), (values <= quantile + 1e-4).mean(axis=1)
    scale = 4 * np.sqrt(1 / len(values) + 1 / OFFICIAL['draws'])
    assert below.mean() - scale * below.std() < share < up_to.mean() + scale * up_to.std()


@pytest.mark.parametrize('target', OFFICIAL['by_target'])
def test_token_masks_have_the_official_statistics(target):
    official, rng, draws = OFFICIAL['by_target'][target], np.random.default_rng(5), 2000
    cuts = [token_cutout(14 * grid_boxes(rng), float(target), (14, 14), rng) for _ in range(draws)]
    fractions = np.array([[cut.holes.mean()] for cut in cuts])
    shares = np.array([cut.shares for cut in cuts])
    compare_means(fractions, official['cut_fraction_mean'], 5e-5)
    compare_means(shares.mean(axis=1), official['box_share_mean'], 5e-5)
    spread = np.sqrt(1 / (2 * draws) + 1 / (2 * OFFICIAL['draws']))
    assert fractions.std() == pytest.approx(official['cut_fraction_std'], rel=4 * spread)
    for name, values in (('cut_fraction', fractions), ('box_share', shares)):
        for share, quantile in zip(QUANTILES, official[f'{name}_quantiles_5_25_50_75_95'], strict=True):
            compare_quantile(values, share, quantile)


def test_token_holes_obey_the_bound_whatever_boxes_come_in():
    rng = np.random.default_rng(6)
    cut_at_all = 0
    for _ in range(CASES):
        size = tuple(rng.integers(1, 30, 2).tolist())
        share = rng.uniform(0, 1)
        boxes = random_boxes(rng, size)
        cut = token_cutout(boxes, share, size, rng)
        for box, final, when_cut in zip(boxes.clip(0, size[::-1] * 2), cut.shares, cut.shares_when_cut, strict=True):
            x1, y1, x2, y2 = np.floor(box + 0.5).astype(int)
            inside = np.zeros(size, dtype=bool)
            if box[0] < box[2] and box[1] < box[3]:
                inside[y1 : y2 + 1, x1 : x2 + 1] = True
            sides = np.sqrt(share) * np.array([inside.any(axis=0).sum(), inside.any(axis=1).sum()])
            assert when_cut <= share + (sides.sum() + 1) / max(1, inside.sum()) + 1e-6
            assert final == pytest.approx(cut.holes[inside].mean() if inside.any() else 0, abs=1e-6)
            cut_at_all += final > 0
    assert cut_at_all > CASES


def test_token_hole_of_a_lone_box():
    rng, sides = np.random.default_rng(7), []
    for _ in range(400):  # columns 2 to 9 and rows 1 to 6: both rounded edges belong to the box
        cut = token_cutout([(2.2, 0.8, 9.4, 5.9)], 0.3, (12, 16), rng)
        rows, columns = np.flatnonzero(cut.holes.any(axis=1)), np.flatnonzero(cut.holes.any(axis=0))
        assert rows.min() >= 1 and rows.max() <= 6 and columns.min() >= 2 and columns.max() <= 9
        assert cut.shares[0] == pytest.approx(cut.holes.sum() / 48)
        sides.append(bounding_sides(cut.holes))
    exact = np.sqrt(0.3) * np.array([6, 8])
    assert {height for height, _ in sides} == {3, 4} and {width for _, width in sides} == {4, 5}
    assert np.mean(sides, axis=0) == pytest.approx(exact, abs=0.1)
