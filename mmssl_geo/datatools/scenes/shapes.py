"""Class outlines as signed distances in units of the object radius, negative inside.

Object frame: x points right, y points down, the origin is the object centre. Every outline lies in the unit circle.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def signed_distance(name: str, aspect: float, x: NDArray, y: NDArray) -> NDArray:
    """Computes the signed distance of points to the outline of a class.

    Args:
        name: One of `CLASSES`.
        aspect: Width over height of the classes that can be stretched (crate, tent), in [0.7, 1.4].
        x: Coordinates in the object frame, any shape.
        y: Coordinates in the object frame, same shape.

    Returns:
        Distances, same shape.
    """
    if name == 'ball':
        return np.hypot(x, y) - 1.0
    if name == 'ring':
        return np.abs(np.hypot(x, y) - 0.72) - 0.28
    return polygon_distance(x, y, _VERTICES[name](aspect))


def polygon_distance(x: NDArray, y: NDArray, vertices: NDArray) -> NDArray:
    """Computes the signed distance of points to a simple polygon with vertices (V, 2); even-odd rule for the sign."""
    nearest = np.full(x.shape, np.inf)
    inside = np.zeros(x.shape, bool)
    for (x1, y1), (x2, y2) in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        dx, dy = x2 - x1, y2 - y1
        along = np.clip(((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy), 0.0, 1.0)
        nearest = np.minimum(nearest, np.hypot(x - x1 - along * dx, y - y1 - along * dy))
        if dy != 0:
            inside ^= ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) / dy * dx)
    return np.where(inside, -nearest, nearest)


def _crate(aspect: float) -> NDArray:
    half = np.array([aspect, 1.0]) / np.hypot(aspect, 1.0)
    return half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])


def _tent(aspect: float) -> NDArray:
    half = 0.4 + 0.27 * aspect
    return np.array([[0.0, -1.0], [half, 0.62], [-half, 0.62]])


def _star(_: float) -> NDArray:
    angles = np.arange(10) * np.pi / 5 - np.pi / 2
    lengths = np.where(np.arange(10) % 2 == 0, 1.0, 0.48)
    return np.stack([np.cos(angles) * lengths, np.sin(angles) * lengths], axis=1)


def _cross(_: float) -> NDArray:
    arm, reach = 0.3, 0.94
    quarter = np.array([[arm, -reach], [arm, -arm], [reach, -arm]])
    turn = np.array([[0, 1], [-1, 0]])  # row vectors: (x, y) -> (-y, x)
    return np.concatenate([quarter @ np.linalg.matrix_power(turn, k) for k in range(4)])


_VERTICES: dict[str, Callable[[float], NDArray]] = dict(crate=_crate, tent=_tent, star=_star, cross=_cross)
