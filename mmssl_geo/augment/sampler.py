"""Sampling of the parameters of the photometric augmentation."""

from collections.abc import Sequence

import numpy as np

from mmssl_geo.utils.checks import check_numbers
from mmssl_geo.utils.errors import UserError

from .params import OPERATIONS, RowSlices

Probability = float | Sequence[float]


class PhotometricSampler:
    """Samples colour jitter, grayscale, Gaussian blur and solarisation for every view of an image.

    Args:
        brightness: The factor is sampled from `[max(0, 1 - brightness), 1 + brightness]`.
        contrast: As `brightness`.
        saturation: As `brightness`.
        hue: The shift is sampled from `[-hue, hue]`, as a share of the colour circle.
        jitter_prob: Probability of the colour jitter: a number, or one for each view in order, the last of which holds
            for all further views.
        grayscale_prob: Probability of grayscale, as `jitter_prob`.
        blur_prob: Probability of the blur, as `jitter_prob`.
        blur_sigma: Smallest and largest standard deviation of the blur, in pixels.
        solarise_prob: Probability of the solarisation, as `jitter_prob`.

    Raises:
        UserError: If a probability is not in [0, 1].
    """

    def __init__(
        self,
        brightness: float,
        contrast: float,
        saturation: float,
        hue: float,
        jitter_prob: Probability,
        grayscale_prob: Probability,
        blur_prob: Probability,
        blur_sigma: tuple[float, float],
        solarise_prob: Probability,
    ) -> None:
        owner = 'photometric augmentation'
        check_numbers(owner, at_least=0, brightness=brightness, contrast=contrast, saturation=saturation)
        check_numbers(owner, at_least=0, at_most=0.5, hue=hue)
        if not isinstance(blur_sigma, list | tuple) or len(blur_sigma) != 2 or not 0 < blur_sigma[0] <= blur_sigma[1]:
            raise UserError(f'{owner}: blur_sigma must be two numbers, 0 < smallest <= largest, got {blur_sigma!r}')
        ranges = {
            name: (max(0.0, 1 - spread), 1 + spread)
            for name, spread in (('brightness', brightness), ('contrast', contrast), ('saturation', saturation))
        }
        ranges['hue'] = (-hue, hue)
        self.lowest, self.highest = np.array([ranges[name] for name in OPERATIONS]).T
        self.probs = _prob_table(
            jitter_prob=jitter_prob, grayscale_prob=grayscale_prob, blur_prob=blur_prob, solarise_prob=solarise_prob
        )
        self.blur_sigma = blur_sigma

    def sample(self, rng: np.random.Generator, num_views: int) -> np.ndarray:
        """Samples the parameters of all views of an image.

        Returns:
            Rows as of `PhotometricParams.row`, float32, shape (num_views, 11).
        """
        uniform = rng.random((num_views, 13))  # four probabilities, an order of four, four factors, a sigma
        happens = uniform[:, :4] < self.probs[np.minimum(np.arange(num_views), len(self.probs) - 1)]
        jitter, grayscale, blur, solarise = happens.T
        order = uniform[:, 4:8].argsort(axis=1)
        low, high = self.lowest[order], self.highest[order]
        rows = np.empty((num_views, RowSlices.length), np.float32)
        rows[:, RowSlices.operations] = np.where(jitter[:, None], order, -1)
        rows[:, RowSlices.factors] = (low + (high - low) * uniform[:, 8:12]) * jitter[:, None]
        rows[:, RowSlices.grayscale] = grayscale
        rows[:, RowSlices.blur_sigma] = (
            self.blur_sigma[0] + (self.blur_sigma[1] - self.blur_sigma[0]) * uniform[:, 12]
        ) * blur
        rows[:, RowSlices.solarise] = solarise
        return rows


def _prob_table(**settings: Probability) -> np.ndarray:
    """Returns the probabilities of each view, shape (views, settings); the last row holds for all further views."""
    columns = [tuple(prob) if isinstance(prob, (list, tuple)) else (prob,) for prob in settings.values()]
    for key, probs in zip(settings, columns, strict=True):
        if not probs or not all(isinstance(prob, (int, float)) and 0 <= prob <= 1 for prob in probs):
            raise UserError(
                f'photometric augmentation: {key} must be one or several probabilities in [0, 1], got '
                f'{", ".join(map(repr, probs)) or "none"}'
            )
    return np.array([[probs[min(view, len(probs) - 1)] for probs in columns] for view in range(max(map(len, columns)))])
