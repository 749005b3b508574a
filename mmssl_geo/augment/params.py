"""One photometric draw of a view, as a record and as a row of numbers."""
import math
from dataclasses import dataclass

import numpy as np

OPERATIONS = ('brightness', 'contrast', 'saturation', 'hue')
LUMA = (0.299, 0.587, 0.114)  # grey of R, G and B (ITU-R 601), as Pillow's and torchvision's
BLUR_PASSES = 3


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

    def row(self):
        """The draw as `(11,)` float32, its parts where `RowSlices` says."""
        names = [OPERATIONS.index(name) for name, _ in self.jitter]
        factors = [factor for _, factor in self.jitter]
        missing = len(OPERATIONS) - len(names)
        return np.array([*names, *[-1] * missing, *factors, *[0] * missing,
                         self.grayscale, self.blur_sigma, self.solarise], np.float32)

    @classmethod
    def from_row(cls, row):
        """The draw that `row` gives back."""
        *numbers, grayscale, blur_sigma, solarise = row.tolist()
        jitter = tuple((OPERATIONS[int(number)], factor)
                       for number, factor in zip(numbers[:4], numbers[4:], strict=True) if number >= 0)
        return cls(jitter, bool(grayscale), blur_sigma, bool(solarise))


class RowSlices:
    """Where the parts of a row stand: numbers of the operations in their order (-1: none), their factors, the rest."""
    operations = slice(0, 4)
    factors = slice(4, 8)
    grayscale = 8
    blur_sigma = 9
    solarise = 10
    length = 11


def blur_box_radius(sigma):
    """Radius in pixels, with its fraction, of the box that three times over makes Pillow's `GaussianBlur`.

    The fraction is the weight of the outermost pixel on either side (Gwosdek et al. 2011, "Theoretical foundations of
    Gaussian convolution by extended box filtering", eq. 7 to 14).
    """
    variance = sigma ** 2 / BLUR_PASSES
    whole = math.floor((math.sqrt(12 * variance + 1) - 1) / 2)
    fraction = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance) / (6 * (variance - (whole + 1) ** 2))
    return whole + fraction
