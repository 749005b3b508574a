"""Photometric augmentation of views: parameters drawn first, then applied."""
from dataclasses import dataclass

import torchvision.transforms.functional as F
from mmcv.transforms import BaseTransform
from PIL import ImageFilter

from mmssl_geo.registry import TRANSFORMS

from .view_random import view_rng


@dataclass(frozen=True)
class PhotometricParams:
    """One draw.

    Args:
        jitter: operations of the colour jitter in their order, `(name, factor)`; empty if there is none.
        grayscale: whether the view loses its colours.
        blur_sigma: standard deviation of the Gaussian blur in pixels of the view; 0 for none.
    """
    jitter: tuple
    grayscale: bool
    blur_sigma: float


@TRANSFORMS.register_module()
class RandomViewPhotometrics(BaseTransform):
    """Colour jitter, grayscale and Gaussian blur of every view, each with its own draw (GTSA, official code).

    Required keys: `views`, `seed`, `epoch`, `sample_idx`. Modified key: `views`.

    Args:
        brightness, contrast, saturation: a factor is drawn from `[max(0, 1 - x), 1 + x]`.
        hue: a shift is drawn from `[-hue, hue]` (turns of the colour circle).
        jitter_prob, grayscale_prob, blur_prob: how often each of them happens.
        blur_sigma: smallest and largest sigma, in pixels.
    """

    def __init__(self, brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2, jitter_prob=0.8, grayscale_prob=0.2,
                 blur_prob=0.2, blur_sigma=(0.1, 2.0)):
        self.ranges = {
            'brightness': (max(0., 1 - brightness), 1 + brightness),
            'contrast': (max(0., 1 - contrast), 1 + contrast),
            'saturation': (max(0., 1 - saturation), 1 + saturation),
            'hue': (-hue, hue)}
        self.jitter_prob = jitter_prob
        self.grayscale_prob = grayscale_prob
        self.blur_prob = blur_prob
        self.blur_sigma = blur_sigma

    def draw(self, rng):
        """`PhotometricParams` from a `numpy.random.Generator`."""
        jitter = ()
        if rng.random() < self.jitter_prob:
            names = rng.permutation(list(self.ranges))
            jitter = tuple((str(name), float(rng.uniform(*self.ranges[name]))) for name in names)
        grayscale = bool(rng.random() < self.grayscale_prob)
        blur_sigma = float(rng.uniform(*self.blur_sigma)) if rng.random() < self.blur_prob else 0.
        return PhotometricParams(jitter, grayscale, blur_sigma)

    def transform(self, results):
        for number, (view, record) in enumerate(results['views']):
            params = self.draw(view_rng(results, 'photometrics', number))
            results['views'][number] = (apply_photometrics(view, params), record)
        return results


def apply_photometrics(view, params):
    """Applies `PhotometricParams` to an RGB PIL image."""
    for name, factor in params.jitter:
        view = getattr(F, f'adjust_{name}')(view, factor)
    if params.grayscale:
        view = F.rgb_to_grayscale(view, num_output_channels=3)
    if params.blur_sigma:
        view = view.filter(ImageFilter.GaussianBlur(radius=params.blur_sigma))
    return view
