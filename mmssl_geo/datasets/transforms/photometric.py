"""Photometric augmentation of the views of a sample: the draws, made on the spot or left to the device."""
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.device import get_device

from mmssl_geo.datasets.pipeline import Stage
from mmssl_geo.augment import OPERATIONS, PhotometricParams, RowSlices, apply_photometrics
from mmssl_geo.registry import TRANSFORMS
from mmssl_geo.utils.errors import UserError

from .view_random import sample_rng

PLACES = ('auto', 'worker', 'device')


@TRANSFORMS.register_module()
class RandomViewPhotometrics(BaseTransform):
    """Colour jitter, grayscale, Gaussian blur and solarisation of every view, each with its own draw.

    The defaults are those of GTSA's official code, which has no solarisation. The draws do not depend on where the
    pixels are computed, and the pixels differ by rounding only.

    Required keys: `views`, `seed`, `epoch`, `sample_idx`. Modified key, in the worker: `views`. Added key, for the
    device: `photometrics` `(V, 11)` float32, the draws, which `PackViews` hands on to `MultiViewDataPreprocessor`.

    Args:
        brightness, contrast, saturation: a factor is drawn from `[max(0, 1 - x), 1 + x]`.
        hue: a shift is drawn from `[-hue, hue]` (turns of the colour circle).
        jitter_prob, grayscale_prob, blur_prob, solarise_prob: how often each of them happens: a number, or one for
            each view in order, the last of which holds for all further views.
        blur_sigma: smallest and largest sigma, in pixels.
        where: the pixels are computed by the loader's worker ('worker') or, all views of a batch at once, by the data
            preprocessor on the model's device ('device'). 'auto': by the device if it is no CPU.

    Raises:
        UserError: if a probability is not in [0, 1], or there is no such place.
    """
    stage = Stage.PHOTOMETRIC

    def __init__(self, brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2, jitter_prob=0.8, grayscale_prob=0.2,
                 blur_prob=0.2, blur_sigma=(0.1, 2.0), solarise_prob=0., where='auto'):
        ranges = {name: (max(0., 1 - spread), 1 + spread) for name, spread in (
            ('brightness', brightness), ('contrast', contrast), ('saturation', saturation))}
        ranges['hue'] = (-hue, hue)
        self.lowest, self.highest = np.array([ranges[name] for name in OPERATIONS]).T
        self.probs = _prob_table(jitter_prob=jitter_prob, grayscale_prob=grayscale_prob, blur_prob=blur_prob,
                                 solarise_prob=solarise_prob)
        self.blur_sigma = blur_sigma
        if where not in PLACES:
            raise UserError(f'photometrics: where must be one of {", ".join(PLACES)}, got {where!r}')
        self.on_device = where == 'device' or (where == 'auto' and get_device() != 'cpu')

    def draw(self, rng, num_views):
        """Draws of all views of an image from a `numpy.random.Generator`.

        Returns:
            `(num_views, 11)` float32, see `PhotometricParams.row`.
        """
        uniform = rng.random((num_views, 13))  # four chances, an order of four, four factors, a sigma
        happens = uniform[:, :4] < self.probs[np.minimum(np.arange(num_views), len(self.probs) - 1)]
        jitter, grayscale, blur, solarise = happens.T
        order = uniform[:, 4:8].argsort(axis=1)
        low, high = self.lowest[order], self.highest[order]
        rows = np.empty((num_views, RowSlices.length), np.float32)
        rows[:, RowSlices.operations] = np.where(jitter[:, None], order, -1)
        rows[:, RowSlices.factors] = (low + (high - low) * uniform[:, 8:12]) * jitter[:, None]
        rows[:, RowSlices.grayscale] = grayscale
        rows[:, RowSlices.blur_sigma] = (
            self.blur_sigma[0] + (self.blur_sigma[1] - self.blur_sigma[0]) * uniform[:, 12]) * blur
        rows[:, RowSlices.solarise] = solarise
        return rows

    def transform(self, results):
        views = results['views']
        rows = self.draw(sample_rng(results, 'photometrics'), len(views))
        if self.on_device:
            results['photometrics'] = rows
        else:
            results['views'] = [(apply_photometrics(view, PhotometricParams.from_row(row)), record)
                                for (view, record), row in zip(views, rows, strict=True)]
        return results


def _prob_table(**settings):
    """`(views, settings)`; the last row holds for all further views.

    Raises:
        UserError: a setting is no probability, nor several of them.
    """
    columns = [tuple(prob) if isinstance(prob, (list, tuple)) else (prob,) for prob in settings.values()]
    for key, probs in zip(settings, columns, strict=True):
        if not probs or not all(isinstance(prob, (int, float)) and 0 <= prob <= 1 for prob in probs):
            raise UserError(f'photometrics: {key} must be a probability, or several of them, in [0, 1], got '
                            f'{", ".join(map(repr, probs)) or "none"}')
    return np.array([[probs[min(view, len(probs) - 1)] for probs in columns]
                     for view in range(max(map(len, columns)))])
