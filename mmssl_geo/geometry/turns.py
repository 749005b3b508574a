"""Exact rotations of maps by quarter turns: permutations of cells, without resampling."""

import torch
from torch import Tensor


def turned_size(size: tuple[int, int], turns: int) -> tuple[int, int]:
    """Returns the height and width of a frame of `size` after `turns` quarter turns."""
    height, width = size
    return (height, width) if turns % 2 == 0 else (width, height)


def rotate_maps(maps: Tensor, turns: int | Tensor) -> Tensor:
    """Rotates maps counter-clockwise by quarter turns.

    Args:
        maps: Maps of any dtype, shape (N, C, H, W).
        turns: Quarter turns, one integer for all maps or an integer tensor of the shape (N,); taken modulo 4
            (negative: clockwise).

    Returns:
        Rotated maps, shape (N, C, H, W), or (N, C, W, H) if `turns` is an odd integer.

    Raises:
        ValueError: If `turns` is a tensor and the maps are not square (the results could not share one shape).
    """
    if isinstance(turns, int):
        return torch.rot90(maps, turns, (-2, -1))
    height, width = maps.shape[-2:]
    if height != width:
        raise ValueError(f'turns per map need square maps, got {height} x {width}; give one int instead')
    cells = torch.arange(height * width, device=maps.device).view(height, width)
    sources = torch.stack([torch.rot90(cells, number, (0, 1)).flatten() for number in range(4)])
    index = sources[turns % 4].unsqueeze(-1).expand(-1, -1, maps.shape[1])
    # whole channels move, which is fast in channels-last memory format
    tokens = maps.flatten(2).transpose(1, 2).gather(1, index)
    return tokens.transpose(1, 2).unflatten(2, (height, width))
