from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from mmssl_geo.geometry import pair_boxes
from mmssl_geo.structures import ViewRecord
from mmssl_geo.visualization import view_figure, view_pairs, view_title
from mmssl_geo.visualization.drawing import place_tags

RECORDS = [
    ViewRecord((0.0, 0.0, 40.0, 40.0), (80, 80), 1, True),
    ViewRecord((20.0, 10.0, 60.0, 50.0), (80, 80), 0, True),
    ViewRecord((10.0, 20.0, 30.0, 40.0), (40, 40), 3, False),
    ViewRecord((70.0, 70.0, 90.0, 90.0), (40, 40), 2, False),
]


def source_corner_colours(record, size=100):
    """View of an image whose pixels hold their own coordinates (x in red, y in green), made with PIL alone."""
    y, x = np.mgrid[:size, :size].astype(np.uint8)
    image = Image.fromarray(np.stack([x, y, 0 * x], axis=-1))
    crop = image.crop([int(c) for c in record.crop_box_src])
    view = np.array(crop.resize(record.size[::-1], Image.Resampling.NEAREST))
    return np.rot90(view[:, ::-1] if record.flipped else view, record.turn)


@pytest.mark.parametrize('flipped', [(), (0,), (1, 2), (0, 1, 2)])
def test_boxes_and_corners_show_the_same_place_in_every_frame(flipped):
    records = [replace(record, flipped=number in flipped) for number, record in enumerate(RECORDS)]
    pairs = view_pairs(records, query=0)
    assert [pair.view for pair in pairs] == [1, 2]  # view 3 has nothing in common with view 0
    assert pairs[0].box_src == (20.0, 10.0, 40.0, 40.0) and pairs[1].box_src == (10.0, 20.0, 30.0, 40.0)
    for pair in pairs:
        for record, box, corner in (
            (records[0], pair.box_query, pair.corner_query),
            (records[pair.view], pair.box_view, pair.corner_view),
        ):
            view = source_corner_colours(record)
            x1, y1, x2, y2 = (round(c) for c in box)
            inside = view[y1:y2, x1:x2, :2]
            # 2 view pixels show 1 source pixel
            assert inside.min(axis=(0, 1)).tolist() == list(pair.box_src[:2])
            assert (inside.max(axis=(0, 1)) + 1).tolist() == list(pair.box_src[2:])
            # the pixel of the box that touches the marked corner is the source's top left one
            corner_x = x1 if corner[0] == box[0] else x2 - 1
            corner_y = y1 if corner[1] == box[1] else y2 - 1
            assert corner[0] in (box[0], box[2]) and corner[1] in (box[1], box[3])
            assert view[corner_y, corner_x, :2].tolist() == list(pair.box_src[:2])


def test_boxes_are_those_that_the_losses_compare():
    boxes = pair_boxes(
        torch.tensor([record.crop_box_src for record in RECORDS]),
        torch.tensor([record.turn for record in RECORDS]),
        torch.tensor([record.size for record in RECORDS]),
        num_global=2,
    )
    for pair in view_pairs(RECORDS, query=1):
        assert torch.equal(torch.tensor(pair.box_query), boxes.teacher_boxes_view[1, pair.view])
        assert torch.equal(torch.tensor(pair.box_view), boxes.student_boxes_view[1, pair.view])


def test_the_query_must_be_global():
    with pytest.raises(ValueError, match='must be a global view, 0 to 1, got 2'):
        view_pairs(RECORDS, query=2)


def test_title_names_kind_number_and_turn():
    assert [view_title(number, record) for number, record in enumerate(RECORDS)] == [
        'global 0, 90°',
        'global 1, 0°',
        'local 2, 270°',
        'local 3, 180°',
    ]
    assert view_title(4, replace(RECORDS[2], flipped=True)) == 'local 4, flipped, 270°'


def overlap(a, b):
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


def test_tags_lie_within_their_boxes_and_apart():
    boxes = np.array([[0, 0, 200, 200]] * 9 + [[100, 100, 160, 160]] * 3, dtype=float)
    tags = place_tags(boxes, [(16, 17)] * 12, points=[(0, 0)])
    for number, (tag, box) in enumerate(zip(tags, boxes, strict=True)):
        assert box[0] <= tag[0] and box[1] <= tag[1] and tag[2] <= box[2] and tag[3] <= box[3]
        assert not any(overlap(tag, other) for other in tags[:number])
        assert not overlap(tag, (-7, -7, 7, 7))


def panels(figure):
    return {axes.get_position().bounds: axes for axes in figure.axes}


def test_picture_has_a_panel_for_every_view_and_none_overlap():
    rng = torch.Generator().manual_seed(0)
    source = torch.randint(0, 256, (100, 100, 3), generator=rng, dtype=torch.uint8).numpy()
    views = [(Image.fromarray(source).resize(record.view_size[::-1]), record) for record in RECORDS]
    figure = view_figure(source, views, query=0, title='photo')
    assert len(figure.axes) == 2 + len(RECORDS)
    places = [(x, y, x + w, y + h) for x, y, w, h in panels(figure)]
    assert not any(overlap(a, b) for i, a in enumerate(places) for b in places[:i])
    assert all(min(place) >= 0 and max(place) <= 1 for place in places)
    texts = [text.get_text() for text in figure.texts]
    assert 'global 0, 90° (query)' in texts and 'local 2, 270°' in texts
    # box and marker on the views that take part, nothing on the one that has no common part
    assert [len(axes.lines) for axes in figure.axes] == [0, 2, 2, 1, 1, 0]
