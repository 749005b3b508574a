import pytest
import torch

from mmssl_geo.evaluation.directions import unit_cells
from mmssl_geo.evaluation.geometry import (
    crop_equivariance_error,
    equivariance_error,
    extract_features,
    make_views,
    rotation_equivariance_error,
)
from mmssl_geo.geometry import rotate_maps
from mmssl_geo.utils.errors import UserError
from tests.support.features import SIZE, constant, content, coordinate_image, image_code, noise_image, position_code


def views_and_features(function, images):
    views = make_views(images, SIZE)
    return views, extract_features(function, views)


def errors(function, images):
    """Under turns and under crops."""
    views, features = views_and_features(function, images)
    centre = features.rotated_squares[0].mean(dim=(0, 2, 3))
    return (
        rotation_equivariance_error(features.rotated_squares, centre),
        crop_equivariance_error(features.first, features.second, views.crop_boxes_src, centre),
    )


def test_features_that_follow_the_content_are_equivariant():
    turns, crops = errors(content, [coordinate_image()] * 6)
    assert turns < 1e-5
    assert crops < 0.02  # a larger crop's cells see more of the image, and waves are not linear within them


def test_position_codes_are_not_equivariant():
    turns, crops = errors(position_code, [noise_image(n) for n in range(16)])
    assert turns == pytest.approx(1, abs=0.05)
    assert crops == pytest.approx(1, abs=0.05)


def test_positions_as_features_are_worse_than_unrelated():
    """A cell's (x, y) from the middle is orthogonal to its place after one turn, opposite after two."""
    maps = torch.stack(torch.meshgrid(torch.arange(-3.0, 4), torch.arange(-3.0, 4), indexing='ij'))
    # Cosines of a cell with its counterpart: 0, -1, 0, and 0 for the middle cell, which is the centre itself.
    matched = 1 + (48 / 49) / 3
    # All unit cells sum to 0, so cosines with all other cells sum to minus that with the counterpart.
    unrelated = 1 - (48 / 3) / (49 * 48)
    error = rotation_equivariance_error(maps.expand(4, 2, 2, 7, 7), torch.zeros(2))
    assert error == pytest.approx(matched / unrelated, rel=1e-5)


@pytest.mark.parametrize('function', [constant, image_code])
def test_features_without_positions_count_as_unrelated(function):
    assert errors(function, [noise_image(n) for n in range(4)]) == pytest.approx((1, 1), abs=1e-6)


def test_noise_is_unrelated():
    maps = torch.randn(4, 20, 32, 12, 12)
    assert rotation_equivariance_error(maps, torch.zeros(32)) == pytest.approx(1, abs=0.02)
    boxes = torch.tensor([[0.0, 0.0, 60.0, 60.0], [30.0, 0.0, 90.0, 60.0]]).expand(20, 2, 4)
    assert crop_equivariance_error(maps[0], maps[1], boxes, torch.zeros(32)) == pytest.approx(1, abs=0.05)


def test_every_rotation_counts():
    """Maps that follow two of the three turns and are unrelated in one have a third of the error."""
    maps = torch.randn(200, 16, 4, 4)
    for broken in (1, 2, 3):
        turned = torch.stack([rotate_maps(maps, turn) for turn in range(4)])
        turned[broken] = torch.randn(200, 16, 4, 4)
        assert rotation_equivariance_error(turned, torch.zeros(16)) == pytest.approx(1 / 3, abs=0.02)


def test_an_offset_does_not_make_features_look_equivariant():
    """Directions are taken from the data's centre."""
    maps, offset = torch.randn(4, 10, 8, 5, 5), 100 * torch.ones(8)
    moved = maps + offset.view(8, 1, 1)
    torch.testing.assert_close(
        rotation_equivariance_error(moved, offset), rotation_equivariance_error(maps, torch.zeros(8)), rtol=1e-4, atol=0
    )


def test_crops_are_compared_in_their_common_part():
    """Two crops of one wide map of noise: the right boxes agree, those of other crops do not."""
    source = torch.nn.functional.interpolate(torch.randn(8, 16, 6, 9), scale_factor=4, mode='bilinear')
    first, second = source[..., :24, :24], source[..., :24, 8:32]
    boxes = torch.tensor([[0.0, 0.0, 24.0, 24.0], [8.0, 0.0, 32.0, 24.0]]).expand(8, 2, 4)
    assert crop_equivariance_error(first, second, boxes, torch.zeros(16)) < 0.02
    assert crop_equivariance_error(first, second, boxes.flip(1), torch.zeros(16)) > 0.5


def test_error_by_hand():
    cells = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]])
    others = torch.tensor([[[0.0, 1.0], [0.0, 1.0], [-1.0, 0.0]]])
    # counterparts: 0, 1, 1; the six other pairs: 0 and -1, 1 and 0, -0 and -0 (by rows)
    matched, unrelated = 1 - 2 / 3, 1 - (0 - 1 + 1 + 0 + 0 + 0) / 6
    assert equivariance_error(cells, others) == pytest.approx(matched / unrelated)
    # The first cell left out: counterparts 1, 1; the two other pairs: 0, 0.
    assert equivariance_error(cells, others, torch.tensor([[False, True, True]])) == pytest.approx(0)
    assert equivariance_error(cells, others, torch.tensor([[True, True, False]])) == pytest.approx((1 - 1 / 2) / 0.5)


def test_maps_of_one_direction_count_as_unrelated():
    cells = torch.tensor([1.0, 0.0]).expand(2, 4, 2)
    assert equivariance_error(cells, cells) == 1


def test_every_cell_has_the_same_weight_and_a_single_one_has_none():
    cells = torch.eye(4).expand(3, 4, 4)
    others = torch.stack([torch.eye(4), torch.eye(4).roll(1, 0), torch.eye(4)])
    mask = torch.tensor([[True, True, True, True], [True, True, False, False], [True, False, False, False]])
    # Counterparts: 4 times 1, twice 0. Others: 0, but for cell 0 of the second image, whose one other is itself.
    assert equivariance_error(cells, others, mask) == pytest.approx((1 - 4 / 6) / (1 - 1 / 6))


def test_crops_that_move_nothing_are_refused():
    boxes = torch.tensor([[0.0, 0.0, 60.0, 60.0], [3.0, 0.0, 63.0, 60.0]]).expand(2, 2, 4)
    with pytest.raises(UserError, match='show the same content at the same position'):
        crop_equivariance_error(torch.randn(2, 4, 9, 9), torch.randn(2, 4, 9, 9), boxes, torch.zeros(4))


def test_unit_cells_are_directions_from_the_centre_in_row_major_order():
    maps = torch.tensor([[3.0, 1.0], [1.0, 5.0]]).view(1, 1, 2, 2) * torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    units = unit_cells(maps, torch.tensor([1.0, 0.0]))
    assert units.tolist() == [[[1, 0], [0, 0], [0, 0], [1, 0]]]
    noisy = torch.full((1, 3, 2, 2), 0.1) + 1e-8 * torch.randn(1, 3, 2, 2)
    assert (unit_cells(noisy, torch.full((3,), 0.1)) == 0).all()
