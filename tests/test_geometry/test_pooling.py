import pytest
import torch

from mmssl_geo.geometry import pool_boxes, pool_boxes_of_maps


def ramp(height, width):
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing='ij')
    return torch.stack([x, y])[None]


def test_a_cell_of_a_linear_map_holds_the_position_of_its_centre():
    """Half-pixel correct: box (2, 1, 6, 5) in 2 x 2 cells has its centres at x = 3, 5 and y = 2, 4."""
    pooled = pool_boxes(ramp(8, 9), torch.tensor([[2.0, 1.0, 6.0, 5.0]]), torch.tensor([0]), 2)
    torch.testing.assert_close(pooled[0, 0], torch.tensor([[3.0, 5.0], [3.0, 5.0]]))
    torch.testing.assert_close(pooled[0, 1], torch.tensor([[2.0, 2.0], [4.0, 4.0]]))


def test_each_box_reads_its_own_map():
    maps = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 1, 4, 4).contiguous()
    pooled = pool_boxes(maps, torch.tensor([[0.0, 0.0, 4.0, 4.0]] * 3), torch.tensor([2, 0, 1]), 1)
    assert pooled.flatten().tolist() == [2, 0, 1]


def test_precision_is_at_least_float32_and_float64_stays():
    box, index = torch.tensor([[0.3, 0.2, 5.1, 6.7]]), torch.tensor([0])
    maps = torch.randn(1, 4, 7, 7)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = pool_boxes(maps.bfloat16(), box, index, 3)
    assert half.dtype == torch.float32
    assert torch.equal(half, pool_boxes(maps.bfloat16().float(), box, index, 3))
    assert pool_boxes(maps.double(), box, index, 3).dtype == torch.float64


def boxes_in_maps(num_maps, num_boxes, side):
    """Random boxes inside a map, and its corners: the whole map, a point, a line, a sliver."""
    corners = torch.rand(num_maps, num_boxes, 2, 2, dtype=torch.double) * side
    boxes = torch.cat([corners.amin(dim=2), corners.amax(dim=2)], dim=-1)
    boxes[0, :4] = torch.tensor([[0.0, 0, side, side], [1, 1, 1, 1], [1, 0, 1, side], [0.3, 0, 0.4, side]])
    return boxes


@pytest.mark.parametrize('side,size', [(14, 10), (14, 4), (6, 4), (7, 3), (5, 5), (3, 5), (4, 1)])
@pytest.mark.parametrize('dtype,bound', [(torch.double, 1e-13), (torch.float, 1e-5)])
def test_products_give_what_torchvisions_roi_align_gives(side, size, dtype, bound):
    boxes = boxes_in_maps(3, 6, side)
    maps = torch.randn(3, 5, side, side, dtype=dtype, requires_grad=True)
    index = torch.arange(3).repeat_interleave(6)
    ours, theirs = pool_boxes_of_maps(maps, boxes, size), pool_boxes(maps, boxes.flatten(0, 1), index, size)
    assert ours.shape == (3, 6, 5, size, size) and (ours[0, 1] == 0).all()
    assert (ours.flatten(0, 1) - theirs).abs().max() < bound
    weight = torch.randn_like(theirs)
    (ours_grad,), (theirs_grad,) = (
        torch.autograd.grad((out * weight).sum(), maps) for out in (ours.flatten(0, 1), theirs)
    )
    assert (ours_grad - theirs_grad).abs().max() < bound * side**2


def test_products_are_at_least_float32_and_need_square_maps():
    boxes, maps = boxes_in_maps(2, 5, 7), torch.randn(2, 4, 7, 7)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = pool_boxes_of_maps(maps.bfloat16(), boxes, 3)
        whole = pool_boxes_of_maps(maps.bfloat16().float(), boxes, 3)
    assert half.dtype == torch.float32 and torch.equal(half, whole)
    with pytest.raises(ValueError, match='square maps, got 7 x 5'):
        pool_boxes_of_maps(maps[..., :5], boxes, 3)
