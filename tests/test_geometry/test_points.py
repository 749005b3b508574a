import itertools

import pytest
import torch

from mmssl_geo.geometry import cell_centres, rotate_maps, source_to_view, view_to_source

CROP = torch.tensor([13.0, 7.0, 113.0, 97.0], dtype=torch.double)


@pytest.mark.parametrize('turn, size', list(itertools.product(range(4), [(56, 56), (40, 64)])))
def test_points_of_a_view_are_where_its_pixels_say(turn, size):
    """Every pixel of the view holds the source position of its centre; crop, resize and turn of that map are exact."""
    height, width = size
    y, x = torch.meshgrid(torch.arange(height).double() + 0.5, torch.arange(width).double() + 0.5, indexing='ij')
    upright = torch.stack([13 + x * 100 / width, 7 + y * 90 / height])
    view = rotate_maps(upright[None], turn)[0]
    points_src = view.flatten(1).T
    points_view = cell_centres(*view.shape[1:]).double()
    view_size = torch.tensor(size)
    torch.testing.assert_close(source_to_view(points_src, CROP, turn, view_size), points_view)
    torch.testing.assert_close(view_to_source(points_view, CROP, turn, view_size), points_src)


def test_every_point_may_have_its_own_crop_turn_and_size():
    points = torch.tensor([[60.0, 52.0], [30.0, 20.0]], dtype=torch.double)
    crops = torch.stack([CROP, torch.tensor([10.0, 10.0, 50.0, 60.0], dtype=torch.double)])
    turns, sizes = torch.tensor([1, 2]), torch.tensor([[90, 100], [50, 80]])
    views = source_to_view(points, crops, turns, sizes)
    # (60, 52) is (47, 45) in the crop of 100 x 90; turned once (y, 100 - x). (30, 20) is (40, 10), turned by half.
    assert views.tolist() == [[45, 53], [40, 40]]
    torch.testing.assert_close(view_to_source(views, crops, turns, sizes), points)


def test_a_point_outside_the_crop_is_outside_the_view():
    assert source_to_view(torch.tensor([3.0, 7.0]).double(), CROP, 0, torch.tensor([90, 100])).tolist() == [-10, 0]


def test_cells_are_row_major():
    assert cell_centres(2, 3).tolist() == [[0.5, 0.5], [1.5, 0.5], [2.5, 0.5], [0.5, 1.5], [1.5, 1.5], [2.5, 1.5]]
