import subprocess
import sys

import numpy as np
import pytest

from mmssl_geo.datatools.proposals import filters
from mmssl_geo.datatools.proposals.filters import RegionFilter, keep_regions, whole_pixels, without_near_duplicates

SIZE = (300, 400)
SOCO = RegionFilter(max_aspect=3, min_size=0.3, max_size=0.8, min_side=32)


def random_boxes(count, seed=0, size=SIZE):
    """Whole boxes within an image, of all shapes and sizes."""
    rng = np.random.default_rng(seed)
    height, width = size
    left, top = rng.integers(0, width, count), rng.integers(0, height, count)
    right, bottom = rng.integers(left, width) + 1, rng.integers(top, height) + 1
    return np.stack([left, top, right, bottom], axis=1)


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def as_set(boxes):
    return set(map(tuple, np.asarray(boxes).tolist()))


def test_limits_on_thousands_of_boxes_agree_with_the_formula():
    boxes = random_boxes(20_000)
    kept, relaxed = keep_regions(boxes, SIZE, SOCO, 'a')
    wanted = set()
    for x1, y1, x2, y2 in boxes.tolist():
        width, height = x2 - x1, y2 - y1
        size = (width * height / (300 * 400)) ** 0.5
        if width >= 32 and height >= 32 and 1 / 3 <= width / height <= 3 and 0.3 <= size <= 0.8:
            wanted.add((x1, y1, x2, y2))
    assert as_set(kept) == wanted and 1000 < len(wanted) < 10_000 and not relaxed


def test_no_limits_keep_all_once_and_the_order_plays_no_part():
    boxes = random_boxes(3000)
    kept, _ = keep_regions(np.concatenate([boxes, boxes[::-1]]), SIZE, RegionFilter(), 'a')
    assert as_set(kept) == as_set(boxes) and len(kept) == len(as_set(boxes))
    limits = RegionFilter(max_number=50, max_iou=0.8)
    shuffled = np.random.default_rng(1).permutation(boxes)
    assert np.array_equal(keep_regions(boxes, SIZE, limits, 'a')[0], keep_regions(shuffled, SIZE, limits, 'a')[0])


def test_edges_of_the_limits_belong_to_them():
    exact = np.array([[0, 0, 96, 32]])  # aspect 3, sides 96 and 32, size sqrt(3072 / 307200) = 0.1
    limits = dict(max_aspect=3, min_size=0.1, max_size=0.1, min_side=32)
    assert len(keep_regions(exact, (480, 640), RegionFilter(**limits), 'a')[0]) == 1
    for change in (
        dict(max_aspect=2.9),
        dict(min_size=0.11, max_size=0.2),
        dict(max_size=0.09, min_size=0),
        dict(min_side=33),
    ):
        assert len(keep_regions(exact, (480, 640), RegionFilter(**{**limits, **change}), 'a')[0]) == 0
    tall = exact[:, [1, 0, 3, 2]]
    assert len(keep_regions(tall, (480, 640), RegionFilter(**limits), 'a')[0]) == 1


def test_relaxing_waives_the_size_first_then_the_aspect_never_the_side():
    relaxing = RegionFilter(max_aspect=3, min_size=0.3, max_size=0.8, min_side=32, relax=True)
    good, small, long, thin = [0, 0, 200, 200], [0, 0, 40, 40], [0, 0, 400, 40], [0, 0, 400, 31]
    for boxes, kept, relaxed in (
        ([good, small, long, thin], [good], False),
        ([small, long, thin], [small], True),
        ([long, thin], [long], True),
        ([thin], [], False),
        ([], [], False),
    ):
        boxes = np.array(boxes, int).reshape(-1, 4)
        found, was_relaxed = keep_regions(boxes, SIZE, relaxing, 'a')
        assert as_set(found) == as_set(kept) and was_relaxed == relaxed
    assert len(keep_regions(np.array([small]), SIZE, SOCO, 'a')[0]) == 0


def test_near_duplicates_leave_the_larger_one():
    boxes = random_boxes(400)
    kept = without_near_duplicates(boxes, 0.5)
    assert 50 < len(kept) < 400 and as_set(kept) <= as_set(boxes)
    area = {tuple(box): (box[2] - box[0]) * (box[3] - box[1]) for box in boxes.tolist()}
    assert all(iou(a, b) <= 0.5 for i, a in enumerate(kept) for b in kept[:i])
    for box in as_set(boxes) - as_set(kept):
        assert any(iou(box, other) > 0.5 and area[tuple(other)] >= area[box] for other in kept.tolist())
    small_first = np.array([[0, 0, 9, 10], [0, 0, 10, 10]])
    assert without_near_duplicates(small_first, 0.5).tolist() == [[0, 0, 10, 10]]


def test_the_number_is_a_uniform_draw_from_seed_and_name():
    boxes = np.unique(random_boxes(60), axis=0)
    limits = RegionFilter(max_number=20)
    draws = [keep_regions(boxes, SIZE, limits, f'{i}.jpg')[0] for i in range(2000)]
    assert {len(draw) for draw in draws} == {20}
    counts = np.array([sum(tuple(box) in seen for seen in map(as_set, draws)) for box in boxes])
    expected = 2000 * 20 / len(boxes)
    assert abs(counts - expected).max() < 5 * expected**0.5
    same = keep_regions(boxes, SIZE, limits, '0.jpg')[0]
    other_seed = keep_regions(boxes, SIZE, RegionFilter(max_number=20, seed=1), '0.jpg')[0]
    assert np.array_equal(same, draws[0]) and not np.array_equal(other_seed, draws[0])
    assert len(keep_regions(boxes, SIZE, RegionFilter(max_number=1000), '0.jpg')[0]) == len(boxes)


def test_whole_pixels_cover_the_box_and_stay_in_the_image():
    rng = np.random.default_rng(2)
    corners = rng.uniform(-50, 450, (5000, 2, 2)).round(rng.integers(0, 6))
    boxes = np.concatenate([corners.min(1), corners.max(1)], axis=1)
    kept = [whole_pixels(box[None], SIZE)[0] for box in boxes]
    for box, found in zip(boxes, kept, strict=True):
        inside = np.clip(box, 0, [400, 300, 400, 300])
        if len(found):
            found = found[0]
            assert (found[:2] >= 0).all() and found[2] <= 400 and found[3] <= 300 and (found[:2] < found[2:]).all()
            assert (found[:2] <= inside[:2] + 1e-3).all() and (found[2:] >= inside[2:] - 1e-3).all()
            assert (inside[:2] - found[:2] < 1).all() and (found[2:] - inside[2:] < 1).all()
        else:
            assert (inside[2:] - inside[:2]).min() <= 1e-3
    together, _ = whole_pixels(boxes, SIZE)
    assert np.array_equal(together, np.concatenate(kept)) and len(together) < 5000


def test_whole_pixels_drop_what_is_no_box_and_count_what_reaches_out():
    nan, inf = float('nan'), float('inf')
    boxes = [
        [0, 0, nan, 5],
        [0, 0, inf, 5],
        [5, 5, 5, 9],
        [9, 9, 2, 20],
        [500, 10, 600, 20],
        [-20, 10, 30, 20],
        [1.0000004, 2, 2.9999996, 4.0000004],
        [399.5, 299.5, 400.4, 300.4],
    ]
    found, outside = whole_pixels(boxes, SIZE)
    assert found.tolist() == [[0, 10, 30, 20], [1, 2, 3, 4], [399, 299, 400, 300]]
    assert outside == 2  # the fifth and the sixth
    huge, _ = whole_pixels([[0, 0, 70000, 10], [66000, 0, 69000, 10]], (10, 70000))
    assert huge.tolist() == [[0, 0, 65535, 10]]
    assert whole_pixels(np.empty((0, 4)), SIZE)[0].shape == (0, 4)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(max_aspect=0.5), 'max_aspect'),
        (dict(min_size=0.5, max_size=0.3), 'min_size and max_size'),
        (dict(max_size=1.5), 'min_size and max_size'),
        (dict(min_size=1.5), 'min_size'),
        (dict(min_side=-1), 'min_side'),
        (dict(max_number=-1), 'max_number'),
        (dict(max_iou=1.5), 'max_iou'),
        (dict(seed=-1), 'seed'),
    ],
)
def test_impossible_limits(options, message):
    with pytest.raises(ValueError, match=message):
        RegionFilter(**options)


@pytest.mark.parametrize('module', ['filters', 'selective_search'])
def test_what_the_other_environment_loads_needs_nothing_of_this_one(module):
    allowed = {'numpy', 'cv2', 'hashlib', 'dataclasses', 'importlib', 'json', 'sys', 'types', 'typing'}
    code = open(filters.__file__.replace('filters.py', f'{module}.py')).read()
    imported = {line.split()[1].split('.')[0] for line in code.splitlines() if line.startswith(('import ', 'from '))}
    assert imported <= allowed


def test_filters_load_by_path_without_the_package():
    code = (
        'import importlib.util, sys\n'
        f's = importlib.util.spec_from_file_location("filters", {filters.__file__!r})\n'
        'm = importlib.util.module_from_spec(s); sys.modules["filters"] = m; s.loader.exec_module(m)\n'
        'assert not {"torch", "mmengine", "mmssl_geo"} & set(sys.modules)'
    )
    subprocess.run([sys.executable, '-I', '-c', code], check=True)
