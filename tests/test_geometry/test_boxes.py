import itertools

import pytest
import torch

from mmssl_geo.geometry import intersect_boxes, pair_boxes, pool_boxes, rescale_boxes, rotate_boxes, rotate_maps


def coordinate_image(height, width):
    """`(2, H, W)`: every pixel holds its own centre `(x, y)` in source pixels."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing='ij')
    return torch.stack([x, y]).double()


def cut(image, box):
    x1, y1, x2, y2 = (int(c) for c in box)
    return image[..., y1:y2, x1:x2]


@pytest.mark.parametrize('turn', range(-1, 5))
def test_a_turned_box_cuts_the_turned_image(turn):
    image = coordinate_image(5, 8)
    box = torch.tensor([1.0, 0.0, 4.0, 3.0])
    turned = rotate_boxes(box, turn, (5, 8))
    assert torch.equal(cut(rotate_maps(image[None], turn)[0], turned), torch.rot90(cut(image, box), turn, (-2, -1)))


def test_rotate_boxes_takes_a_turn_and_a_size_for_each_box():
    boxes = torch.tensor([[0.0, 1.0, 2.0, 3.0]] * 4)
    sizes = torch.tensor([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0], [70.0, 80.0]])
    turned = rotate_boxes(boxes, torch.arange(4), sizes)
    assert turned.tolist() == [[0, 1, 2, 3], [1, 38, 3, 40], [58, 47, 60, 49], [67, 0, 69, 2]]


def test_boxes_apart_have_an_intersection_of_no_extent():
    common = intersect_boxes(torch.tensor([0.0, 0.0, 2.0, 2.0]), torch.tensor([5.0, 1.0, 6.0, 4.0]))
    assert (common[2:] >= common[:2]).all() and (common[2] - common[0]) * (common[3] - common[1]) == 0


def test_rescaling_maps_the_crop_to_the_whole_view():
    crop = torch.tensor([10.0, 20.0, 40.0, 80.0])
    assert rescale_boxes(crop, crop, torch.tensor([96, 48])).tolist() == [0, 0, 48, 96]
    assert rescale_boxes(torch.tensor([25.0, 20.0, 40.0, 50.0]), crop, torch.tensor([96, 48])).tolist() == [
        24,
        0,
        48,
        48,
    ]


def test_pair_boxes_by_hand():
    crops = torch.tensor([[0.0, 0.0, 100.0, 100.0], [50.0, 20.0, 150.0, 120.0], [60.0, 60.0, 80.0, 80.0]])
    turns = torch.tensor([0, 1, 2])
    pairs = pair_boxes(crops, turns, [(200, 200), (200, 200), (50, 50)], num_global=2)
    assert pairs.teacher_boxes_view.shape == pairs.student_boxes_view.shape == (2, 3, 4)
    # Global 0 and 1 share (50, 20, 100, 100): in 0 twice as large; in 1 at (0, 0, 100, 160), then turned once.
    assert pairs.teacher_boxes_view[0, 1].tolist() == [100, 40, 200, 200]
    assert pairs.student_boxes_view[0, 1].tolist() == [0, 100, 160, 200]
    assert pairs.teacher_boxes_view[1, 0].tolist() == [0, 100, 160, 200]
    assert pairs.student_boxes_view[1, 0].tolist() == [100, 40, 200, 200]
    # The local crop lies wholly inside both: in its own frame it is the whole view, whatever its turn.
    assert pairs.student_boxes_view[:, 2].tolist() == [[0, 0, 50, 50]] * 2
    assert pairs.teacher_boxes_view[0, 2].tolist() == [120, 120, 160, 160]


@pytest.mark.parametrize('turn_q,turn_v', list(itertools.product(range(4), repeat=2)))
@pytest.mark.parametrize('size_q,size_v', [((56, 56), (24, 24)), ((40, 64), (24, 36))])
def test_pooled_patches_show_the_same_place_in_the_same_orientation(turn_q, turn_v, size_q, size_v):
    """Pure geometry: coordinate maps, cut exactly, pooled by RoIAlign, turned; odd and non-square frames."""
    crops = torch.tensor([[13.0, 7.0, 113.0, 97.0], [31.0, 22.0, 91.0, 118.0]], dtype=torch.double)
    turns = torch.tensor([turn_q, turn_v])
    pairs = pair_boxes(crops, turns, [size_q, size_v], num_global=1)

    def view(box, size, turn):
        y, x = torch.meshgrid(*(torch.arange(n).double() + 0.5 for n in size), indexing='ij')
        x_src = box[0] + x * (box[2] - box[0]) / size[1]
        y_src = box[1] + y * (box[3] - box[1]) / size[0]
        return rotate_maps(torch.stack([x_src, y_src])[None], turn)

    index = torch.zeros(1, dtype=torch.long)
    shape_q = (6, 6)
    teacher = pool_boxes(view(crops[0], size_q, turn_q), pairs.teacher_boxes_view[0, 1:], index, shape_q)
    student = pool_boxes(view(crops[1], size_v, turn_v), pairs.student_boxes_view[0, 1:], index, shape_q)
    turned = rotate_maps(teacher, torch.tensor([turn_v - turn_q]))
    # Samples outside the outermost cell centres are clamped by RoIAlign, hence the cut at the border.
    assert (turned - student)[..., 1:-1, 1:-1].abs().max() < 1e-9
    if (turn_v - turn_q) % 4:
        assert (teacher - student).abs().max() > 5
