"""Textures: fractal noise, the background, and one pattern per class."""

import colorsys
from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

HUES = dict(ball=0.02, crate=0.10, tent=0.60, star=0.15, ring=0.45, cross=0.80)
"""Mean hue of each class. The hues of neighbouring classes overlap, so colour alone does not separate them."""


def fractal_noise(rng: Generator, shape: tuple[int, ...], cell: float, stretch: float = 1.0) -> NDArray:
    """Draws smooth noise of four octaves.

    Args:
        rng: Source of randomness.
        shape: Height and width in pixels.
        cell: Size of the coarsest grains in pixels.
        stretch: Width over height of the grains.

    Returns:
        Noise of the given shape, with mean 0 and standard deviation 1.
    """
    height, width = shape
    noise = np.zeros(shape, np.float32)
    for octave in range(4):
        grain = max(cell / 2**octave, 1.0)
        rows, columns = int(height / grain) + 2, int(width / (grain * stretch)) + 2
        grid = Image.fromarray(rng.standard_normal((rows, columns)).astype(np.float32))
        noise += np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC)) / 2**octave
    return (noise - noise.mean()) / max(noise.std(), 1e-6)


def background(rng: Generator, size: int, clutter: float) -> NDArray:
    """Draws a wall and a floor with different grain, lit from above: shape (size, size, 3), about 0 to 1."""
    horizon = rng.uniform(0.15, 0.5) * size
    rows = np.arange(size)[:, None] + 0.5
    slope = rng.uniform(-0.08, 0.08) * (np.arange(size)[None] + 0.5 - size / 2)
    floor = np.clip(rows - horizon - slope + 0.5, 0, 1)[..., None]
    planes = []
    for stretch in (rng.uniform(0.3, 1.0), rng.uniform(2.0, 4.0)):
        colour = np.array(colorsys.hsv_to_rgb(rng.uniform(), rng.uniform(0.05, 0.25), rng.uniform(0.45, 0.8)))
        grain = fractal_noise(rng, (size, size), size * rng.uniform(0.06, 0.2), stretch)[..., None]
        tint = fractal_noise(rng, (size, size), size * 0.3)[..., None] * rng.normal(size=3)
        planes.append(colour + clutter * (0.12 * grain + 0.04 * tint))
    light = 1.08 - 0.2 * rows[..., None] / size
    return (planes[0] * (1 - floor) + planes[1] * floor) * light


def object_colours(rng: Generator, name: str) -> tuple[NDArray, NDArray]:
    """Draws two RGB colours of one object: hues around the mean of the class, or any hue with probability 1/6."""
    hue = rng.uniform() if rng.uniform() < 1 / 6 else HUES[name] + rng.normal(0, 0.06)
    saturation, value = rng.uniform(0.5, 0.9), rng.uniform(0.65, 0.95)
    bright = np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value))
    dark = np.array(colorsys.hsv_to_rgb((hue + rng.normal(0, 0.04)) % 1, saturation, value * rng.uniform(0.35, 0.55)))
    return bright, dark


def object_texture(rng: Generator, name: str, x: NDArray, y: NDArray, distance: NDArray, grain_px: float) -> NDArray:
    """Draws the surface colours of an object.

    Args:
        rng: Source of randomness.
        name: One of `CLASSES`.
        x: Coordinates in the object frame in units of the radius, shape (h, w).
        y: Coordinates in the object frame in units of the radius, shape (h, w).
        distance: Signed distance to the outline in units of the radius, shape (h, w).
        grain_px: Size of the noise grains in pixels.

    Returns:
        Colours, shape (h, w, 3), about 0 to 1.
    """
    bright, dark = object_colours(rng, name)
    share = _PATTERNS[name](rng, x, y, distance)[..., None]
    noise = fractal_noise(rng, x.shape, grain_px, rng.uniform(0.5, 2.0))[..., None]
    return bright * (1 - share) + dark * share + 0.04 * noise


def _soft_step(value: NDArray, width: float = 0.08) -> NDArray:
    return np.clip(value / width + 0.5, 0.0, 1.0)


def _ball(rng: Generator, x: NDArray, y: NDArray, _: NDArray) -> NDArray:
    shade = 0.75 * np.hypot(x + 0.3, y + 0.35) ** 2 / 1.5
    band = _soft_step(np.abs(y - 0.5 * x * rng.uniform(-1, 1)) - 0.16)
    return np.clip(shade + 0.7 * (1 - band), 0, 1)


def _crate(rng: Generator, x: NDArray, y: NDArray, distance: NDArray) -> NDArray:
    planks = _soft_step(np.cos(2 * np.pi * rng.uniform(1.6, 2.4) * y) - 0.75, 0.3)
    frame = _soft_step(distance + 0.16)
    brace = 1 - _soft_step(np.abs(x - y * rng.choice([-1, 1])) - 0.1)
    return np.clip(planks + frame + 0.8 * brace, 0, 1)


def _tent(rng: Generator, x: NDArray, y: NDArray, distance: NDArray) -> NDArray:
    stripes = _soft_step(np.cos(2 * np.pi * rng.uniform(1.8, 2.6) * (np.abs(x) + y)), 0.4)
    return np.clip(0.85 * stripes + _soft_step(distance + 0.06), 0, 1)


def _star(rng: Generator, x: NDArray, y: NDArray, _: NDArray) -> NDArray:
    rays = _soft_step(np.cos(5 * np.arctan2(x, -y)), 1.2)
    return np.clip(rays * np.hypot(x, y) * rng.uniform(0.9, 1.3), 0, 1)


def _ring(rng: Generator, x: NDArray, y: NDArray, _: NDArray) -> NDArray:
    dashes = int(rng.integers(5, 9))
    return 0.9 * _soft_step(np.cos(dashes * np.arctan2(y, x) + rng.uniform(0, 6)), 0.3)


def _cross(rng: Generator, x: NDArray, y: NDArray, _: NDArray) -> NDArray:
    pitch = rng.uniform(3.0, 4.5) * np.pi
    return 0.85 * _soft_step(np.sin(pitch * x) * np.sin(pitch * y), 0.3)


_Pattern = Callable[[Generator, NDArray, NDArray, NDArray], NDArray]
_PATTERNS: dict[str, _Pattern] = dict(ball=_ball, crate=_crate, tent=_tent, star=_star, ring=_ring, cross=_cross)
