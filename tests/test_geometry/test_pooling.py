import torch

from mmssl_geo.geometry import pool_boxes


def ramp(height, width):
    y, x = torch.meshgrid(torch.arange(height) + .5, torch.arange(width) + .5, indexing='ij')
    return torch.stack([x, y])[None]


def test_a_cell_of_a_linear_map_holds_the_position_of_its_centre():
    """Half-pixel correct: box (2, 1, 6, 5) in 2 x 2 cells has its centres at x = 3, 5 and y = 2, 4."""
    pooled = pool_boxes(ramp(8, 9), torch.tensor([[2., 1., 6., 5.]]), torch.tensor([0]), 2)
    torch.testing.assert_close(pooled[0, 0], torch.tensor([[3., 5.], [3., 5.]]))
    torch.testing.assert_close(pooled[0, 1], torch.tensor([[2., 2.], [4., 4.]]))


def test_each_box_reads_its_own_map():
    maps = torch.arange(3.).view(3, 1, 1, 1).expand(3, 1, 4, 4).contiguous()
    pooled = pool_boxes(maps, torch.tensor([[0., 0., 4., 4.]] * 3), torch.tensor([2, 0, 1]), 1)
    assert pooled.flatten().tolist() == [2, 0, 1]


def test_precision_is_at_least_float32_and_float64_stays():
    box, index = torch.tensor([[0.3, 0.2, 5.1, 6.7]]), torch.tensor([0])
    maps = torch.randn(1, 4, 7, 7)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = pool_boxes(maps.bfloat16(), box, index, 3)
    assert half.dtype == torch.float32
    assert torch.equal(half, pool_boxes(maps.bfloat16().float(), box, index, 3))
    assert pool_boxes(maps.double(), box, index, 3).dtype == torch.float64
