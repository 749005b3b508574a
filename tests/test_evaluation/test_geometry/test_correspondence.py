import pytest
import torch

from mmssl_geo.evaluation.geometry import correspondence_precision, extract_features, make_views
from mmssl_geo.geometry import rotate_maps
from mmssl_geo.utils.errors import UserError
from tests.support.features import (
    CELLS,
    SIZE,
    constant,
    content,
    coordinate_image,
    image_code,
    noise_image,
    position_code,
)


def precision(function, images, rotated, tolerance=1.0):
    views = make_views(images, SIZE)
    features = extract_features(function, views)
    turns = views.turns if rotated else torch.zeros_like(views.turns)
    second = features.second_rotated if rotated else features.second
    centre = features.rotated_squares[0].mean(dim=(0, 2, 3))
    return correspondence_precision(features.first, second, views.crop_boxes_src, turns, centre, tolerance)


@pytest.mark.parametrize('rotated', [False, True])
def test_features_that_follow_the_content_find_every_patch(rotated):
    found, chance = precision(content, [coordinate_image(), coordinate_image(300, 200)] * 4, rotated)
    assert found > 0.995
    # 4 cells lie within one cell of a place in x and y, fewer at the rim
    assert 3 / CELLS**2 < chance < 4.2 / CELLS**2


@pytest.mark.parametrize('function', [constant, image_code])
@pytest.mark.parametrize('rotated', [False, True])
def test_features_without_positions_are_exactly_at_chance(function, rotated):
    found, chance = precision(function, [noise_image(n) for n in range(6)], rotated)
    assert found == pytest.approx(chance, rel=1e-6)


def test_rounding_breaks_no_ties():
    maps = torch.ones(2, 5, 8, CELLS, CELLS) + 1e-7 * torch.randn(2, 5, 8, CELLS, CELLS)
    views = make_views([noise_image(n) for n in range(5)], SIZE)
    found, chance = correspondence_precision(*maps, views.crop_boxes_src, views.turns, torch.zeros(8))
    assert found == pytest.approx(chance, rel=1e-6)


def test_noise_is_at_chance():
    views = make_views([noise_image(n) for n in range(30)], SIZE)
    maps = torch.randn(2, 30, 16, CELLS, CELLS)
    found, chance = correspondence_precision(*maps, views.crop_boxes_src, views.turns, torch.zeros(16))
    assert found == pytest.approx(chance, rel=0.25)


@pytest.mark.parametrize('rotated', [False, True])
def test_features_of_the_position_alone_find_nothing(rotated):
    """The nearest neighbour of a cell is the same cell, which is not correct for any query."""
    found, chance = precision(position_code, [noise_image(n) for n in range(20)], rotated)
    assert found == 0 < chance


def test_the_tolerance_is_in_cells_of_the_second_view():
    """The second crop lies four cells to the right, but codes are moved by two: right from a tolerance of two on."""
    code = torch.randn(1, 64, 8, 8)
    boxes = torch.tensor([[[0.0, 0.0, 80.0, 80.0], [40.0, 0.0, 120.0, 80.0]]])

    def found(tolerance):
        return correspondence_precision(
            code, code.roll(-2, dims=3), boxes, torch.zeros(1, dtype=torch.long), torch.zeros(64), tolerance
        )

    assert found(1.9)[0] == 0 and found(2)[0] == 1
    # By chance, within two cells: of the true columns 0 to 3 there are 3, 4, 5 and 5, of the rows 3, 4, 5 ... 5, 4, 3.
    assert found(2)[1] == pytest.approx((3 + 4 + 5 + 5) / (4 * 8) * (3 + 4 + 4 * 5 + 4 + 3) / (8 * 8))
    with pytest.raises(UserError, match='more than 4 cells away'):
        found(4)


@pytest.mark.parametrize('turn', [1, 2, 3])
def test_the_second_view_is_rotated_counter_clockwise(turn):
    code, turns = torch.randn(2, 64, 6, 6), torch.tensor([turn, 4 - turn])
    boxes = torch.tensor([[0.0, 0.0, 60.0, 60.0], [0.0, 0.0, 60.0, 60.0]]).expand(2, 2, 4)
    found, _ = correspondence_precision(code, rotate_maps(code, turns), boxes, turns, torch.zeros(64), 0.1)
    assert found == 1


def test_only_patches_with_their_centre_in_the_second_view_are_queries():
    """The second crop holds the left 2.6 of 8 columns, and so the centres of three."""
    code = torch.randn(1, 64, 8, 8)
    second = torch.zeros(1, 64, 8, 8)
    boxes = torch.tensor([[[0.0, 0.0, 80.0, 80.0], [0.0, 0.0, 26.0, 80.0]]])
    _, chance = correspondence_precision(code, second, boxes, torch.zeros(1, dtype=torch.long), torch.zeros(64), 0.5)
    # Columns at 0.5, 1.5, 2.5 of 2.6 lie at cells 1.54, 4.62 and 7.69 of 8: each within half a cell of one centre;
    # rows lie on centres. So one cell of 64 is correct for every query, and a fourth column would have none.
    assert chance == pytest.approx(1 / 64)
