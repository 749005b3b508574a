import torch

from mmssl_geo.geometry import pair_boxes
from mmssl_geo.structures import ViewBatch, ViewRecord
from tests.support.pretraining import random_views


def test_pairs_are_all_ordered_pairs_of_different_views():
    views = random_views(batch_size=3, num_global=3, num_local=2)
    groups = views.pairs()
    pairs = []
    for kind, group in groups.items():
        first = 0 if kind == 'global' else 3
        q, v = group.teacher_index // 3, group.student_index // 3 + first
        assert torch.equal(group.teacher_index % 3, torch.arange(3)[None, :, None].expand_as(group.teacher_index))
        assert torch.equal(group.student_index % 3, group.teacher_index % 3), 'both of one image'
        pairs += list(zip(q[:, 0].flatten().tolist(), v[:, 0].flatten().tolist(), strict=True))
    assert sorted(pairs) == [(q, v) for q in range(3) for v in range(5) if v != q]


def test_pairs_have_the_boxes_and_turns_of_their_views():
    views = random_views(batch_size=2, num_global=2, num_local=3)
    boxes = pair_boxes(views.crop_boxes_src, views.turns, [(64, 64)] * 2 + [(32, 32)] * 3, 2)
    group = views.pairs()['local']
    for q in range(2):
        for b in range(2):
            for v in range(3):
                assert torch.equal(group.teacher_boxes_view[q, b, v], boxes.teacher_boxes_view[b, q, v + 2])
                assert torch.equal(group.student_boxes_view[q, b, v], boxes.student_boxes_view[b, q, v + 2])
                assert group.relative_turns[q, b, v] == (views.turns[b, v + 2] - views.turns[b, q]) % 4


def test_turns_by_kind_are_view_major():
    views = random_views(batch_size=2, num_global=2, num_local=1)
    turns = views.turns_by_kind()
    assert turns['global'].tolist() == [int(views.turns[b, v]) for v in range(2) for b in range(2)]
    assert turns['local'].tolist() == [int(views.turns[b, 2]) for b in range(2)]


def test_kinds_without_views_or_pairs_are_left_out():
    views = random_views(num_global=1, num_local=2)
    assert set(views.pairs()) == {'local'}
    views = ViewBatch(
        global_images=torch.zeros(4, 3, 8, 8),
        local_images=torch.zeros(0, 3, 0, 0),
        num_global=2,
        crop_boxes_src=torch.ones(2, 2, 4).cumsum(-1),
        turns=torch.zeros(2, 2).long(),
        flipped=torch.zeros(2, 2).bool(),
    )
    assert set(views.images()) == set(views.pairs()) == set(views.turns_by_kind()) == {'global'}


def test_a_record_rotates_size_and_boxes():
    record = ViewRecord((10.0, 20.0, 30.0, 60.0), (80, 40), 1, True)
    assert record.view_size == (40, 80)
    assert record.boxes_to_view(torch.tensor([10.0, 20.0, 20.0, 40.0])).tolist() == [0, 20, 40, 40]
