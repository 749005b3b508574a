"""Photometric augmentation of views: parameters drawn first, then applied."""
from dataclasses import dataclass

import torchvision.transforms.functional as F
from mmcv.transforms import BaseTransform
from PIL import ImageFilter, ImageOps

from mmssl_geo.errors import UserError
from mmssl_geo.registry import TRANSFORMS

from .view_random import view_rng


@dataclass(frozen=True)
class PhotometricParams:
    """One draw.

    Args:
        jitter: operations of the colour jitter in their order, `(name, factor)`; empty if there is none.
        grayscale: whether the view loses its colours.
        blur_sigma: standard deviation of the Gaussian blur in pixels of the view; 0 for none.
        solarise: whether channels of 128 and more are inverted.
    """
    jitter: tuple
    grayscale: bool
    blur_sigma: float
    solarise: bool = False


@TRANSFORMS.register_module()
class RandomViewPhotometrics(BaseTransform):
    """Colour jitter, grayscale, Gaussian blur and solarisation of every view, each with its own draw.

    The defaults are those of GTSA's official code, which has no solarisation.

    Required keys: `views`, `seed`, `epoch`, `sample_idx`. Modified key: `views`.

    Args:
        brightness, contrast, saturation: a factor is drawn from `[max(0, 1 - x), 1 + x]`.
        hue: a shift is drawn from `[-hue, hue]` (turns of the colour circle).
        jitter_prob, grayscale_prob, blur_prob, solarise_prob: how often each of them happens: a number, or one for
            each view in order, the last of which holds for all further views.
        blur_sigma: smallest and largest sigma, in pixels.

    Raises:
        UserError: if a probability is not in [0, 1].
    """

    def __init__(self, brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2, jitter_prob=0.8, grayscale_prob=0.2,
                 blur_prob=0.2, blur_sigma=(0.1, 2.0), solarise_prob=0.):
        self.ranges = {
            'brightness': (max(0., 1 - brightness), 1 + brightness),
            'contrast': (max(0., 1 - contrast), 1 + contrast),
            'saturation': (max(0., 1 - saturation), 1 + saturation),
            'hue': (-hue, hue)}
        self.probs = {
            name: _checked_probs(f'{name}_prob', tuple(prob) if isinstance(prob, (list, tuple)) else (prob,))
            for name, prob in (('jitter', jitter_prob), ('grayscale', grayscale_prob), ('blur', blur_prob),
                               ('solarise', solarise_prob))}
        self.blur_sigma = blur_sigma

    def draw(self, rng, view):
        """`PhotometricParams` of view number `view` from a `numpy.random.Generator`."""
        prob = {name: probs[min(view, len(probs) - 1)] for name, probs in self.probs.items()}
        jitter = ()
        if rng.random() < prob['jitter']:
            names = rng.permutation(list(self.ranges))
            jitter = tuple((str(name), float(rng.uniform(*self.ranges[name]))) for name in names)
        grayscale = bool(rng.random() < prob['grayscale'])
        blur_sigma = float(rng.uniform(*self.blur_sigma)) if rng.random() < prob['blur'] else 0.
        solarise = bool(rng.random() < prob['solarise'])
        return PhotometricParams(jitter, grayscale, blur_sigma, solarise)

    def transform(self, results):
        for number, (view, record) in enumerate(results['views']):
            params = self.draw(view_rng(results, 'photometrics', number), number)
            results['views'][number] = (apply_photometrics(view, params), record)
        return results


def _checked_probs(key, probs):
    if not probs or not all(isinstance(prob, (int, float)) and 0 <= prob <= 1 for prob in probs):
        raise UserError(f'photometrics: {key} must be a probability, or several of them, in [0, 1], got '
                        f'{", ".join(map(repr, probs)) or "none"}')
    return probs


def apply_photometrics(view, params):
    """Applies `PhotometricParams` to an RGB PIL image."""
    for name, factor in params.jitter:
        view = getattr(F, f'adjust_{name}')(view, factor)
    if params.grayscale:
        view = F.rgb_to_grayscale(view, num_output_channels=3)
    if params.blur_sigma:
        view = view.filter(ImageFilter.GaussianBlur(radius=params.blur_sigma))
    if params.solarise:
        view = ImageOps.solarize(view, threshold=128)
    return view
