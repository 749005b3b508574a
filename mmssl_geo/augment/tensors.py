"""Photometrics of a batch of views on a device, each view with its own draw.

Everything has a fixed shape and nothing is read back, so that the host never waits and the whole can be compiled. A
jitter of any order is three blends, the shift of the hue, three blends: a view uses the blends before or after its hue
that its order asks for, the others leave it as it is.
"""
import torch

from .params import BLUR_PASSES, LUMA, OPERATIONS, RowSlices

# torchvision's way from floats to 8 bits: floor(255.999 x); it changes no whole level
_FLOAT_TO_LEVELS = 255.999 / 255
_CONTRAST, _SATURATION, _HUE = (OPERATIONS.index(name) for name in ('contrast', 'saturation', 'hue'))


def photometrics_of_batch(images, rows):
    """Colour jitter, grayscale, Gaussian blur and solarisation.

    It agrees with the 8-bit operators of `torchvision.transforms.functional` and with Pillow's `GaussianBlur`: the
    results of blends are cut to whole grey levels, all others are rounded.

    Args:
        images: `(N, 3, H, W)` uint8, RGB.
        rows: `(N, 11)` float32, the draw of each, see `PhotometricParams.row`, on the images' device.

    Returns:
        `(N, 3, H, W)` float32, whole grey levels 0 to 255.
    """
    with torch.autocast(images.device.type, enabled=False):
        images = images.float()
        gains, contrast, saturation, turns = _plan(rows)
        for step in range(6):
            if step == 3:
                images = _shift_hue(images, turns)
            images = _blend(images, gains[step], contrast[step], saturation[step])
        grayscale = _per_view(rows[:, RowSlices.grayscale])
        images = torch.lerp(images, _luma(images), grayscale)
        images = _blur(images, rows[:, RowSlices.blur_sigma])
        inverted = (images >= 128) & (_per_view(rows[:, RowSlices.solarise]) > 0)
        return torch.where(inverted, 255 - images, images)


def _plan(rows):
    """What the six blends do, `(6, N, 1, 1, 1)` each, and the turn of the hue `(N, 1, 1, 1)`.

    Returns:
        tuple: the gain of the image; what the mean grey and the pixel's own grey add to it; the turn.
    """
    operations, factors = rows[:, RowSlices.operations], rows[:, RowSlices.factors]
    is_hue = operations == _HUE
    hue_done = is_hue.cumsum(dim=1) > 0
    idle = is_hue | (operations < 0)
    gains = torch.cat([
        torch.where(idle | hue_done, 1., factors)[:, :3], torch.where(idle | ~hue_done, 1., factors)[:, 1:]], dim=1)
    operations = torch.cat([operations[:, :3], operations[:, 1:]], dim=1)
    contrast, saturation = ((operations == number) * (1 - gains) for number in (_CONTRAST, _SATURATION))
    turns = _per_view((is_hue * factors).sum(dim=1))
    return *(values.t()[..., None, None, None] for values in (gains, contrast, saturation)), turns


def _per_view(values):
    return values[:, None, None, None]


def _luma(images):
    """Grey `(N, 1, H, W)`, whole levels."""
    red, green, blue = images.split(1, dim=1)
    return (LUMA[0] * red).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2]).round_()


def _blend(images, gain, contrast, saturation):
    """Brightness (`gain` alone), contrast or saturation, cut to whole levels."""
    grey = _luma(images)
    added = saturation * grey + contrast * (grey.mean(dim=(2, 3), keepdim=True) + 0.5).floor()
    return torch.addcmul(added, images, gain).clamp_(0, 255).floor_()


def _shift_hue(images, turns):
    """Turns the hue of pixels by `turns` of the colour circle; value and chroma stay."""
    value, brightest = images.max(dim=1, keepdim=True)
    chroma = value - images.amin(dim=1, keepdim=True)
    difference = (images.roll(-1, dims=1) - images.roll(-2, dims=1)).gather(1, brightest)
    sextant = difference / chroma.clamp(min=1) + 2 * brightest + 6 * turns
    # how far red, green and blue fall below the value, as a trapezoid of the hue (A. R. Smith 1978, in closed form)
    place = (sextant + 5 - 2 * torch.arange(3, device=images.device).view(3, 1, 1)).remainder(6)
    shifted = value - chroma * torch.minimum(place, 4 - place).clamp_(0, 1)
    return shifted.mul_(_FLOAT_TO_LEVELS).floor_()


def _blur(images, sigmas):
    """Pillow's `GaussianBlur`, as a product with a matrix of each axis; sigma 0 leaves a view as it is."""
    vertical, horizontal = (_blur_matrices(sigmas, size)[:, None] for size in images.shape[-2:])
    return (vertical @ images @ horizontal.mT).round_()


def _blur_matrices(sigmas, size):
    """`(N, size, size)`: three boxes, one after the other, each beyond the border on the border's own pixel."""
    variance = sigmas.square() / BLUR_PASSES
    whole = (((12 * variance + 1).sqrt() - 1) / 2).floor()
    fraction = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance) / (6 * (variance - (whole + 1).square()))
    radius = (whole + fraction)[:, None, None]
    place = torch.arange(size, device=sigmas.device, dtype=sigmas.dtype)
    reach = radius + 1 - (place[:, None] - place).abs()
    # the first and the last column stand for all pixels beyond them too: the clipped weights there add up to `reach`
    border = (place == 0) | (place == size - 1)
    box = torch.where(border, reach.clamp(min=0), reach.clamp(0, 1)) / (2 * radius + 1)
    return box @ box @ box
