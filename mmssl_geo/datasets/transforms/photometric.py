"""Photometric augmentation of multi-crop views, computed in the worker or on the device, and of single images."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.device import get_device

from mmssl_geo.augment import PhotometricParams, PhotometricSampler, augment_view
from mmssl_geo.augment.sampler import Probability
from mmssl_geo.datasets.pipeline import Stage
from mmssl_geo.registry import TRANSFORMS
from mmssl_geo.utils.errors import UserError

from .random_streams import sample_rng

PLACES = ('auto', 'worker', 'device')
STREAM = 'photometrics'  # part of the seed: another name changes all draws


@TRANSFORMS.register_module()
class MultiViewPhotometricAugmentation(BaseTransform):
    """Colour jitter, grayscale, Gaussian blur and solarisation of the views of `MultiCrop`, sampled for every view.

    The defaults are those of GTSA's official code, which has no solarisation. The sampled parameters do not depend on
    where the pixels are computed, and the pixels differ by rounding only.

    Required keys: `views`, `seed`, `epoch`, `sample_idx`. Modified key, if computed in the worker: `views`. Added key,
    if computed on the device: `photometric_params`, float32, shape (V, 11), which `PackViews` passes on to
    `MultiViewDataPreprocessor`.

    Args:
        brightness: As for `PhotometricSampler`.
        contrast: As for `PhotometricSampler`.
        saturation: As for `PhotometricSampler`.
        hue: As for `PhotometricSampler`.
        jitter_prob: A number, or one for each view in order, the last of which holds for all further views.
        grayscale_prob: As `jitter_prob`.
        blur_prob: As `jitter_prob`.
        blur_sigma: Smallest and largest standard deviation of the blur, in pixels.
        solarise_prob: As `jitter_prob`.
        where: 'worker' computes the pixels in the data loader's worker. 'device' leaves them to the data preprocessor,
            which computes all views of a batch at once on the model's device. 'auto' is 'device' unless that is a CPU.

    Raises:
        UserError: If a probability is not in [0, 1] or `where` is unknown.
    """

    stage = Stage.PHOTOMETRIC

    def __init__(
        self,
        brightness: float = 0.8,
        contrast: float = 0.8,
        saturation: float = 0.8,
        hue: float = 0.2,
        jitter_prob: Probability = 0.8,
        grayscale_prob: Probability = 0.2,
        blur_prob: Probability = 0.2,
        blur_sigma: tuple[float, float] = (0.1, 2.0),
        solarise_prob: Probability = 0.0,
        where: str = 'auto',
    ) -> None:
        if where not in PLACES:
            raise UserError(f'MultiViewPhotometricAugmentation.where must be one of {", ".join(PLACES)}, got {where!r}')
        self.sampler = PhotometricSampler(
            brightness, contrast, saturation, hue, jitter_prob, grayscale_prob, blur_prob, blur_sigma, solarise_prob
        )
        self.on_device = where == 'device' or (where == 'auto' and get_device() != 'cpu')

    def transform(self, results: dict) -> dict:
        views = results['views']
        rows = self.sampler.sample(sample_rng(results, STREAM), len(views))
        if self.on_device:
            results['photometric_params'] = rows
        else:
            results['views'] = [(_augment(view, row), record) for (view, record), row in zip(views, rows, strict=True)]
        return results


@TRANSFORMS.register_module()
class PhotometricAugmentation(BaseTransform):
    """Colour jitter, grayscale, Gaussian blur and solarisation of a single image or view.

    It always runs in the data loader's worker, so that what later steps cut out or paste keeps its colour. The defaults
    are those of BYOL's second view in SoCo's code; its first view has `blur_prob=1, solarise_prob=0`.

    Required and modified key: `img` (H, W, 3 RGB uint8).

    Args:
        brightness: As for `PhotometricSampler`.
        contrast: As for `PhotometricSampler`.
        saturation: As for `PhotometricSampler`.
        hue: As for `PhotometricSampler`.
        jitter_prob: Probability of the colour jitter.
        grayscale_prob: Probability of grayscale.
        blur_prob: Probability of the blur.
        blur_sigma: Smallest and largest standard deviation of the blur, in pixels.
        solarise_prob: Probability of the solarisation.

    Raises:
        UserError: If a probability is not in [0, 1].
    """

    stage = Stage.PHOTOMETRIC

    def __init__(
        self,
        brightness: float = 0.4,
        contrast: float = 0.4,
        saturation: float = 0.2,
        hue: float = 0.1,
        jitter_prob: float = 0.8,
        grayscale_prob: float = 0.2,
        blur_prob: float = 0.1,
        blur_sigma: tuple[float, float] = (0.1, 2.0),
        solarise_prob: float = 0.2,
    ) -> None:
        self.sampler = PhotometricSampler(
            brightness, contrast, saturation, hue, jitter_prob, grayscale_prob, blur_prob, blur_sigma, solarise_prob
        )

    def transform(self, results: dict) -> dict:
        results['img'] = _augment(results['img'], self.sampler.sample(sample_rng(results, STREAM), 1)[0])
        return results


def _augment(view: np.ndarray, row: np.ndarray) -> np.ndarray:
    return augment_view(view, PhotometricParams.from_row(row))
