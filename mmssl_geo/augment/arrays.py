"""Photometrics of one view on the CPU: 8-bit arrays, OpenCV's kernels.

Factors mean what they mean in `torchvision.transforms.functional`. As in its 8-bit operators every result is cut to
whole grey levels; the shift of the hue alone is computed in floating point, where Pillow rounds the hue to 8 bits.
"""
import math

import cv2
import numpy as np

from .params import BLUR_PASSES, LUMA, blur_box_radius

_LEVELS = np.arange(256, dtype=np.float32)
_SOLARISED = np.where(_LEVELS < 128, _LEVELS, 255 - _LEVELS).astype(np.uint8)
_TRUNCATE = -0.499  # OpenCV rounds to the nearest, blends of 8-bit images are cut


def apply_photometrics(view, params):
    """Applies `PhotometricParams` to an RGB view `(H, W, 3)` uint8; returns a view of its own or the same one."""
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


def box_kernel(sigma):
    """`(2 r + 1,)` weights of the box that three times over, in both axes, makes Pillow's `GaussianBlur`."""
    radius = blur_box_radius(sigma)
    places = np.arange(-math.ceil(radius), math.ceil(radius) + 1)
    return np.clip(radius + 1 - abs(places), 0, 1) / (2 * radius + 1)


def _blend_level(view, level, factor):
    """`level + factor * (view - level)`."""
    return cv2.LUT(view, (level + factor * (_LEVELS - level)).clip(0, 255).astype(np.uint8))


def _brightness(view, factor):
    return _blend_level(view, 0, factor)


def _contrast(view, factor):
    return _blend_level(view, math.floor(cv2.mean(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY))[0] + 0.5), factor)


def _saturation(view, factor):
    matrix = factor * np.eye(3) + (1 - factor) * np.array(LUMA)
    return cv2.transform(view, np.column_stack([matrix, np.full(3, _TRUNCATE)]))


def _hue(view, turn):
    hsv = cv2.cvtColor(view.astype(np.float32), cv2.COLOR_RGB2HSV)
    hsv[..., 0] += 360 * (turn % 1)
    return cv2.convertScaleAbs(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))


_JITTER = {'brightness': _brightness, 'contrast': _contrast, 'saturation': _saturation, 'hue': _hue}
