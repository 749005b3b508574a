"""Parameters of the photometric augmentation of one view, as a record and as a row of numbers."""

import math
from dataclasses import dataclass

import numpy as np

OPERATIONS = ('brightness', 'contrast', 'saturation', 'hue')
LUMA = (0.299, 0.587, 0.114)  # grey of R, G and B (ITU-R 601), as in Pillow and torchvision
BLUR_PASSES = 3


@dataclass(frozen=True)
class PhotometricParams:
    """Parameters of one view.

    Args:
        jitter: Operations of the colour jitter and their factors, in the order in which they are applied.
        grayscale: Whether the view is converted to grayscale.
        blur_sigma: Standard deviation of the Gaussian blur in pixels of the view; 0 for none.
        solarise: Whether values of 128 and more are inverted.
    """

    jitter: tuple[tuple[str, float], ...]
    grayscale: bool
    blur_sigma: float
    solarise: bool = False

    def row(self) -> np.ndarray:
        """Returns the parameters as numbers laid out as in `RowSlices`, float32, shape (11,)."""
        names = [OPERATIONS.index(name) for name, _ in self.jitter]
        factors = [factor for _, factor in self.jitter]
        missing = len(OPERATIONS) - len(names)
        return np.array(
            [*names, *[-1] * missing, *factors, *[0] * missing, self.grayscale, self.blur_sigma, self.solarise],
            np.float32,
        )

    @classmethod
    def from_row(cls, row: np.ndarray) -> 'PhotometricParams':
        """Inverts `row`."""
        *numbers, grayscale, blur_sigma, solarise = row.tolist()
        jitter = tuple(
            (OPERATIONS[int(number)], factor)
            for number, factor in zip(numbers[:4], numbers[4:], strict=True)
            if number >= 0
        )
        return cls(jitter, bool(grayscale), blur_sigma, bool(solarise))


class RowSlices:
    """Layout of a row: indices of the operations in their order (-1: none), their factors, the other parameters."""

    operations = slice(0, 4)
    factors = slice(4, 8)
    grayscale = 8
    blur_sigma = 9
    solarise = 10
    length = 11


def blur_box_radius(sigma: float) -> float:
    """Returns the radius in pixels of the box filter that, applied three times, makes Pillow's `GaussianBlur`.

    Its fractional part is the weight of the outermost pixel on either side (Gwosdek et al. 2011, "Theoretical
    foundations of Gaussian convolution by extended box filtering", eq. 7 to 14).
    """
    variance = sigma**2 / BLUR_PASSES
    whole = math.floor((math.sqrt(12 * variance + 1) - 1) / 2)
    fraction = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance) / (6 * (variance - (whole + 1) ** 2))
    return whole + fraction
