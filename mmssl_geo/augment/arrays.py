"""Photometric augmentation of one view on the CPU: 8-bit arrays, OpenCV's kernels.

Factors have the meaning that they have in `torchvision.transforms.functional`. As in its 8-bit operators, every result
is truncated to whole grey levels; only the shift of the hue is computed in floating point, where Pillow rounds the hue
to 8 bits.
"""

import math
from collections.abc import Callable, Sequence
from typing import cast

import cv2
import numpy as np

from .params import BLUR_PASSES, LUMA, PhotometricParams, blur_box_radius

_LEVELS = np.arange(256, dtype=np.float32)
_SOLARISED = np.where(_LEVELS < 128, _LEVELS, 255 - _LEVELS).astype(np.uint8)
_TRUNCATE = -0.499  # OpenCV rounds to the nearest level, blends of 8-bit images are truncated


def augment_view(view: np.ndarray, params: PhotometricParams) -> np.ndarray:
    """Applies a photometric augmentation to a view.

    Args:
        view: RGB view, uint8, shape (H, W, 3). It is not modified.
        params: What to apply.

    Returns:
        The augmented view; `view` itself if nothing is applied.
    """
    for name, factor in params.jitter:
        view = _JITTER[name](view, factor)
    if params.grayscale:
        view = cv2.cvtColor(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if params.blur_sigma:
        kernel = box_kernel(params.blur_sigma)
        for _ in range(BLUR_PASSES):
            view = cv2.sepFilter2D(view, -1, kernel, kernel, borderType=cv2.BORDER_REPLICATE)
    if params.solarise:
        view = cv2.LUT(view, _SOLARISED)
    return view


def box_kernel(sigma: float) -> np.ndarray:
    """Returns the box filter that, applied three times along both axes, makes Pillow's `GaussianBlur`."""
    radius = blur_box_radius(sigma)
    offsets = np.arange(-math.ceil(radius), math.ceil(radius) + 1)
    return np.clip(radius + 1 - abs(offsets), 0, 1) / (2 * radius + 1)


def _blend_with_level(view: np.ndarray, level: int, factor: float) -> np.ndarray:
    """Computes `level + factor * (view - level)`."""
    return cv2.LUT(view, (level + factor * (_LEVELS - level)).clip(0, 255).astype(np.uint8))


def _brightness(view: np.ndarray, factor: float) -> np.ndarray:
    return _blend_with_level(view, 0, factor)


def _contrast(view: np.ndarray, factor: float) -> np.ndarray:
    mean_grey = cast(Sequence[float], cv2.mean(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY)))[0]
    return _blend_with_level(view, math.floor(mean_grey + 0.5), factor)


def _saturation(view: np.ndarray, factor: float) -> np.ndarray:
    matrix = factor * np.eye(3) + (1 - factor) * np.array(LUMA)
    return cv2.transform(view, np.column_stack([matrix, np.full(3, _TRUNCATE)]))


def _hue(view: np.ndarray, shift: float) -> np.ndarray:
    hsv = np.asarray(cv2.cvtColor(view.astype(np.float32), cv2.COLOR_RGB2HSV), np.float32)
    hsv[..., 0] += 360 * (shift % 1)
    return cv2.convertScaleAbs(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))


_JITTER: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    'brightness': _brightness,
    'contrast': _contrast,
    'saturation': _saturation,
    'hue': _hue,
}
