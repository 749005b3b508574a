"""Photometric augmentation of a plain sample, or of one view of it."""
from mmcv.transforms import BaseTransform

from mmssl_geo.datasets.pipeline import Stage
from mmssl_geo.augment import PhotometricParams, apply_photometrics
from mmssl_geo.registry import TRANSFORMS

from .photometric import RandomViewPhotometrics
from .view_random import sample_rng


@TRANSFORMS.register_module()
class ViewPhotometrics(BaseTransform):
    """Colour jitter, grayscale, Gaussian blur and solarisation of `img` (H, W, 3 RGB uint8), in one draw.

    It works in the loader's worker: what is cut out or pasted after it has to stay as it is.

    The defaults are those of BYOL's second view in SoCo's code; its first view has `blur_prob=1, solarise_prob=0`.

    Required and modified key: `img`.

    Args:
        brightness, contrast, saturation, hue, jitter_prob, grayscale_prob, blur_prob, blur_sigma, solarise_prob: as in
            `RandomViewPhotometrics`; every probability is one number.
    """
    stage = Stage.PHOTOMETRIC

    def __init__(self, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1, jitter_prob=0.8, grayscale_prob=0.2,
                 blur_prob=0.1, blur_sigma=(0.1, 2.0), solarise_prob=0.2):
        self.photometrics = RandomViewPhotometrics(
            brightness, contrast, saturation, hue, jitter_prob, grayscale_prob, blur_prob, blur_sigma, solarise_prob,
            where='worker')

    def transform(self, results):
        row = self.photometrics.draw(sample_rng(results, 'photometrics'), 1)[0]
        results['img'] = apply_photometrics(results['img'], PhotometricParams.from_row(row))
        return results
