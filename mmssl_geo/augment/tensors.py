"""Photometric augmentation of a batch of views on a device, each view with its own parameters.

All shapes are fixed and nothing is read back, so the host never waits and everything can be compiled. A jitter of any
order is computed as three blends, the shift of the hue, and three blends: a view uses the blends before or after its
hue shift according to its order, and the others leave it unchanged.
"""

import torch
from torch import Tensor

from .params import BLUR_PASSES, LUMA, OPERATIONS, RowSlices

# torchvision converts floats to 8 bits as floor(255.999 x), which changes no whole level
_FLOAT_TO_LEVELS = 255.999 / 255
_CONTRAST, _SATURATION, _HUE = (OPERATIONS.index(name) for name in ('contrast', 'saturation', 'hue'))


def augment_batch(images: Tensor, rows: Tensor) -> Tensor:
    """Applies colour jitter, grayscale, Gaussian blur and solarisation.

    It agrees with the 8-bit operators of `torchvision.transforms.functional` and with Pillow's `GaussianBlur`: the
    results of blends are truncated to whole grey levels, all others are rounded.

    Args:
        images: RGB views, uint8, shape (N, 3, H, W).
        rows: Parameters of each view as of `PhotometricParams.row`, float32, shape (N, 11), on the images' device.

    Returns:
        Augmented views in whole grey levels 0 to 255, float32, shape (N, 3, H, W).
    """
    with torch.autocast(images.device.type, enabled=False):
        images = images.float()
        gains, contrast, saturation, shifts = _plan(rows)
        for step in range(6):
            if step == 3:
                images = _shift_hue(images, shifts)
            images = _blend(images, gains[step], contrast[step], saturation[step])
        grayscale = _per_view(rows[:, RowSlices.grayscale])
        images = torch.lerp(images, _luma(images), grayscale)
        images = _blur(images, rows[:, RowSlices.blur_sigma])
        inverted = (images >= 128) & (_per_view(rows[:, RowSlices.solarise]) > 0)
        return torch.where(inverted, 255 - images, images)


def _plan(rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Turns rows into the coefficients of the six blends and the shift of the hue.

    Returns:
        Per blend, the gain of the image and the weights of the mean grey and of the pixel's own grey, each of the shape
        (6, N, 1, 1, 1); the shift of the hue, shape (N, 1, 1, 1).
    """
    operations, factors = rows[:, RowSlices.operations], rows[:, RowSlices.factors]
    is_hue = operations == _HUE
    hue_done = is_hue.cumsum(dim=1) > 0
    idle = is_hue | (operations < 0)
    gains = torch.cat(
        [torch.where(idle | hue_done, 1.0, factors)[:, :3], torch.where(idle | ~hue_done, 1.0, factors)[:, 1:]], dim=1
    )
    operations = torch.cat([operations[:, :3], operations[:, 1:]], dim=1)
    contrast, saturation = ((operations == number) * (1 - gains) for number in (_CONTRAST, _SATURATION))
    shifts = _per_view((is_hue * factors).sum(dim=1))
    return _per_blend(gains), _per_blend(contrast), _per_blend(saturation), shifts


def _per_view(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _per_blend(values: Tensor) -> Tensor:
    return values.t()[..., None, None, None]


def _luma(images: Tensor) -> Tensor:
    """Returns the grey in whole levels, shape (N, 1, H, W)."""
    red, green, blue = images.split(1, dim=1)
    return (LUMA[0] * red).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2]).round_()


def _blend(images: Tensor, gain: Tensor, contrast: Tensor, saturation: Tensor) -> Tensor:
    """Changes brightness (`gain` alone), contrast or saturation, truncated to whole levels."""
    grey = _luma(images)
    added = saturation * grey + contrast * (grey.mean(dim=(2, 3), keepdim=True) + 0.5).floor()
    return torch.addcmul(added, images, gain).clamp_(0, 255).floor_()


def _shift_hue(images: Tensor, shifts: Tensor) -> Tensor:
    """Shifts the hue of pixels by shares of the colour circle; value and chroma stay."""
    value, brightest = images.max(dim=1, keepdim=True)
    chroma = value - images.amin(dim=1, keepdim=True)
    difference = (images.roll(-1, dims=1) - images.roll(-2, dims=1)).gather(1, brightest)
    sextant = difference / chroma.clamp(min=1) + 2 * brightest + 6 * shifts
    # how far red, green and blue are below the value, as a trapezoid of the hue (A. R. Smith 1978, in closed form)
    phase = (sextant + 5 - 2 * torch.arange(3, device=images.device).view(3, 1, 1)).remainder(6)
    shifted = value - chroma * torch.minimum(phase, 4 - phase).clamp_(0, 1)
    return shifted.mul_(_FLOAT_TO_LEVELS).floor_()


def _blur(images: Tensor, sigmas: Tensor) -> Tensor:
    """Computes Pillow's `GaussianBlur` as a product with one matrix per axis; sigma 0 leaves a view unchanged."""
    vertical, horizontal = (_blur_matrices(sigmas, size)[:, None] for size in images.shape[-2:])
    return (vertical @ images @ horizontal.mT).round_()


def _blur_matrices(sigmas: Tensor, size: int) -> Tensor:
    """Returns the matrices of three box filters that repeat the border pixels, shape (N, size, size)."""
    variance = sigmas.square() / BLUR_PASSES
    whole = (((12 * variance + 1).sqrt() - 1) / 2).floor()
    fraction = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance) / (6 * (variance - (whole + 1).square()))
    radius = (whole + fraction)[:, None, None]
    pixel = torch.arange(size, device=sigmas.device, dtype=sigmas.dtype)
    reach = radius + 1 - (pixel[:, None] - pixel).abs()
    # the first and the last column stand for all pixels beyond them too: the clipped weights there add up to `reach`
    border = (pixel == 0) | (pixel == size - 1)
    box = torch.where(border, reach.clamp(min=0), reach.clamp(0, 1)) / (2 * radius + 1)
    return box @ box @ box
