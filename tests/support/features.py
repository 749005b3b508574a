"""Images and features whose geometric measures are known."""

import numpy as np
import torch
import torch.nn.functional as F

from mmssl_geo.utils.constants import IMAGENET_MEAN, IMAGENET_STD

CELL, SIZE = 8, 112
CELLS = SIZE // CELL


def coordinate_image(height=240, width=320):
    """`(H, W, 3)` uint8: red grows with x, green with y, from 0 to 255; blue is 128."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([x, y, np.full_like(x, 128)], axis=-1).round().astype(np.uint8)


def noise_image(number, height=120, width=120):
    """`(H, W, 3)` uint8 noise."""
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)


def content(images):
    """Cells that follow the content: waves of the mean colour of a cell's pixels, `(B, 25, h, w)`.

    On a `coordinate_image` the colour is the place in the source; waves give any two positions different directions.
    """
    colours = (images * torch.tensor(IMAGENET_STD).view(3, 1, 1) + torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / 255
    x, y = F.avg_pool2d(colours, CELL)[:, :2].unbind(dim=1)
    waves = [(a * x + b * y) * torch.pi for a in range(-2, 3) for b in range(3) if (a, b) > (0, 0) or b]
    return torch.stack([f(wave) for wave in waves for f in (torch.cos, torch.sin)], dim=1)


def position_code(images):
    """Cells that encode only their position in the view, by a random code for each, `(B, 256, h, w)`."""
    code = torch.randn(256, CELLS, CELLS, generator=torch.Generator().manual_seed(0))
    return code.expand(len(images), -1, -1, -1)


def constant(images):
    """`(B, 5, h, w)`: the same everywhere."""
    return torch.full((len(images), 5, CELLS, CELLS), 0.1)


def image_code(images):
    """`(B, 3, h, w)`: differs between images, but not between positions or rotations."""
    return images.double().mean(dim=(-2, -1), keepdim=True).float().expand(-1, -1, CELLS, CELLS)
