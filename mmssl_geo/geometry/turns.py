"""Exact quarter turns of maps: permutations of cells, no resampling."""
import torch


def turned_size(size, turn):
    """Size `(height, width)` of a frame of `size` after `turn` quarter turns."""
    height, width = size
    return (height, width) if turn % 2 == 0 else (width, height)


def rotate_maps(maps, turns):
    """Turns every map counter-clockwise by its own number of quarter turns.

    Args:
        maps: `(N, C, H, W)`, any dtype.
        turns: one int for all maps, or an integer tensor `(N,)`; taken modulo 4 (negative: clockwise).

    Returns:
        `(N, C, H, W)`; `(N, C, W, H)` if `turns` is an odd int.

    Raises:
        ValueError: if `turns` is a tensor and the maps are not square (the results could not share one shape).
    """
    if isinstance(turns, int):
        return torch.rot90(maps, turns, (-2, -1))
    height, width = maps.shape[-2:]
    if height != width:
        raise ValueError(f'turns per map need square maps, not {height} x {width}; give one int instead')
    cells = torch.arange(height * width, device=maps.device).view(height, width)
    sources = torch.stack([torch.rot90(cells, turn, (0, 1)).flatten() for turn in range(4)])
    index = sources[turns % 4].unsqueeze(-1).expand(-1, -1, maps.shape[1])
    tokens = maps.flatten(2).transpose(1, 2).gather(1, index)  # whole channels move: fast where they are last in memory
    return tokens.transpose(1, 2).unflatten(2, (height, width))
