import pytest
import torch

from mmssl_geo.geometry import rotate_maps, turned_size


def test_one_quarter_turn_is_counter_clockwise():
    maps = torch.tensor([[[[0, 1], [2, 3]]]])
    assert rotate_maps(maps, torch.tensor([1])).tolist() == [[[[1, 3], [0, 2]]]]


@pytest.mark.parametrize('side', [1, 4, 7])
def test_turns_per_map_equal_rot90_and_are_exact(side):
    maps = torch.randn(8, 3, side, side)
    turns = torch.tensor([0, 1, 2, 3, 4, 5, -1, -2])
    turned = rotate_maps(maps, turns)
    for i, turn in enumerate(turns.tolist()):
        assert torch.equal(turned[i], torch.rot90(maps[i], turn, (-2, -1)))


def test_one_turn_for_maps_that_are_not_square():
    maps = torch.randn(2, 1, 3, 5)
    assert rotate_maps(maps, 1).shape[-2:] == turned_size((3, 5), 1) == (5, 3)
    assert torch.equal(rotate_maps(rotate_maps(maps, 1), 3), maps)


def test_turns_per_map_need_square_maps():
    with pytest.raises(ValueError, match='square maps, got 3 x 5'):
        rotate_maps(torch.zeros(1, 1, 3, 5), torch.tensor([1]))


def test_gradient_of_a_turn_is_the_turn_back():
    maps = torch.randn(4, 2, 5, 5, requires_grad=True)
    turns = torch.tensor([0, 1, 2, 3])
    weights = torch.randn(4, 2, 5, 5)
    (rotate_maps(maps, turns) * weights).sum().backward()
    assert torch.equal(maps.grad, rotate_maps(weights, -turns))
