"""Reading one image file, whole and upright, or saying why it cannot be read."""
import contextlib
import io
import warnings

import numpy as np
import torch
from PIL import Image, ImageFile, UnidentifiedImageError
from torchvision.io import ImageReadMode, decode_jpeg

ORIENTATION_TAG = 0x0112
# Value of the EXIF orientation tag -> what brings the stored picture upright (EXIF 2.32, tag 0112).
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnreadableImage(Exception):
    """A file that is no image, is truncated or broken, or of a kind that cannot be shown in 8-bit RGB.

    Args:
        path (str): the file.
        reason (str): one line.
    """

    def __init__(self, path, reason):
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self):
        return f'{self.path}: {self.reason}'


def read_rgb(path, file=None, reduction=None):
    """Reads an image file as 8-bit RGB.

    The EXIF orientation is applied. An alpha channel or a transparent palette entry is dropped (the colours below it
    show), CMYK is converted by Pillow's formula without a colour profile, the first frame or page of several is taken.
    Grey images of more than 8 bits are scaled, never clipped, see `grey_to_uint8`.

    A file that ends too early is refused, never half-decoded, whatever other code made of
    `PIL.ImageFile.LOAD_TRUNCATED_IMAGES`. (Damage in the middle of a JPEG that its decoder does not notice cannot
    be seen here.)

    Args:
        path (str): the file.
        file (BinaryIO, optional): read in place of the file at `path`, which is then only its name; it is closed.
        reduction (Callable, optional): from the height and width of a JPEG to a whole number (1, 2, 4 or 8): every
            how many pixels one is enough. It is then decoded at that part of its size, rounded up.

    Returns:
        np.ndarray: (H, W, 3) uint8, writable, in RGB order.

    Raises:
        UnreadableImage: the file is missing, empty, no image, truncated, broken, a decompression bomb (Pillow's
            limit, about 179 million pixels), or of a mode without a way to RGB.
    """
    try:
        with _strict_and_quiet(), file or _in_memory(path) as stream, Image.open(stream) as image:
            return _read(stream, image, reduction)
    except MemoryError:  # says something of the machine, nothing of the file
        raise
    except Exception as error:  # Pillow's decoders raise almost any type on broken bytes
        raise UnreadableImage(path, _one_line(error)) from error


def _in_memory(path):
    """The file in one piece: Pillow looks at a JPEG's header in some forty small reads."""
    with open(path, 'rb') as file:
        return io.BytesIO(file.read())


def _read(stream, image, reduction):
    array = None
    if image.format == 'JPEG':
        factor = reduction(image.height, image.width) if reduction else 1
        if factor > 1:
            image.draft(image.mode, (image.width // factor, image.height // factor))
        elif image.mode == 'RGB':
            array = _decode_rgb_jpeg(stream)
    if array is None:
        image.load()
        array = _to_rgb_array(image)
    # Not ImageOps.exif_transpose: it writes the other tags anew and fails on odd ones. Asked after load(), because
    # Pillow's TIFF reader turns the picture there and removes the tag.
    orientation = _orientation(image)
    return np.array(Image.fromarray(array).transpose(UPRIGHT[orientation])) if orientation in UPRIGHT else array


def _decode_rgb_jpeg(stream):
    """`(H, W, 3)` uint8 as stored, by torchvision's decoder, the fastest; None where it fails: Pillow says why."""
    stream.seek(0)
    try:
        image = decode_jpeg(torch.frombuffer(stream.read(), dtype=torch.uint8), mode=ImageReadMode.RGB)
    except RuntimeError:
        return None
    return np.ascontiguousarray(image.permute(1, 2, 0).numpy())


def grey_to_uint8(values):
    """Scales grey values of more than 8 bits to 0..255 by one rule for all images (our choice).

    - integers within 0..65535: divided by 257, so that 65535 becomes 255 (a dark 16-bit picture stays dark);
    - floats within 0..1: times 255; floats within 0..255: as they are;
    - anything else has no known range: the image's own minimum becomes 0 and its maximum 255.

    Args:
        values (np.ndarray): (H, W), integer or floating.

    Returns:
        np.ndarray: (H, W) uint8, rounded to the nearest.

    Raises:
        ValueError: there are values that are not finite.
    """
    scaled = values.astype(np.float64)
    low, high = scaled.min(), scaled.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError('it holds values that are not finite')
    is_integer = np.issubdtype(values.dtype, np.integer)
    if is_integer and low >= 0 and high <= 65535:
        scaled /= 257
    elif not is_integer and low >= 0 and high <= 1:
        scaled *= 255
    elif is_integer or low < 0 or high > 255:
        scaled = (scaled - low) / (high - low or 1) * 255
    return np.rint(scaled).astype(np.uint8)


@contextlib.contextmanager
def _strict_and_quiet():
    """Truncated files raise, and Pillow's warnings (odd EXIF, big image, palette) do not flood the log."""
    truncated_allowed = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = truncated_allowed


def _orientation(image):
    try:
        return image.getexif().get(ORIENTATION_TAG)
    except Exception:  # a broken EXIF block says nothing about orientation: the picture stays as it is stored
        return None


def _to_rgb_array(image):
    if image.mode == 'F' or image.mode == 'I' or image.mode.startswith('I;16'):
        grey = grey_to_uint8(np.asarray(image))
        return np.repeat(grey[..., None], 3, axis=2)
    return np.array(image if image.mode == 'RGB' else image.convert('RGB'))


def _one_line(error):
    if isinstance(error, UnidentifiedImageError):  # Pillow's text names the object in memory
        return 'cannot identify image file: it is empty, no image, or of a kind that Pillow does not know'
    text = ' '.join(str(error).split())
    return f'{text} ({type(error).__name__})' if text else type(error).__name__
