"""Reads an image file, complete and upright, or reports why it cannot be read.

This file must not import from `mmssl_geo`: tools/make_proposals.py also loads it by its path in another environment.
"""

import contextlib
import io
import os
import stat
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

try:
    from .jpeg_decoding import decode_rgb
except ImportError:  # the other environment has no torchvision; Pillow decodes to the same pixels there
    HAS_TORCHVISION = False
else:
    HAS_TORCHVISION = True

MAX_PIXELS = 100_000_000  # 300 MB as RGB

ORIENTATION_TAG = 0x0112
# Value of the EXIF orientation tag -> operation that brings the stored image upright (EXIF 2.32, tag 0112).
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
GREY_OF_MISSING_DATA = 128  # a block of a JPEG without coefficients
MAX_WARNED = 10_000
SIDEWAYS = (5, 6, 7, 8)  # orientations that swap height and width


_warned: set[str] = set()  # files whose harmless warnings have been printed


class UnreadableImage(Exception):
    """A file that is not an image, is truncated or damaged, or cannot be shown in 8-bit RGB.

    Args:
        path: Path of the file.
        reason: One line.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f'{printable(self.path)}: {self.reason}'


def printable(text: str) -> str:
    """Escapes what a log cannot hold: control characters, line breaks, and bytes that are not UTF-8."""
    return ''.join(char if char.isprintable() else char.encode('unicode_escape').decode() for char in text)


def read_rgb(
    path: str,
    file: BinaryIO | None = None,
    reduction: Callable[[int, int], int] | None = None,
    max_pixels: int | None = MAX_PIXELS,
    allow_damaged: bool = False,
) -> np.ndarray:
    """Reads an image file as 8-bit RGB.

    The EXIF orientation is applied. An alpha channel or a transparent palette entry is dropped (the colours below it
    show), CMYK is converted by Pillow's formula without a colour profile, and of several frames or pages the first is
    read. Grey images of more than 8 bits are scaled, never clipped, see `grey_to_uint8`.

    A truncated or damaged file is refused, never half-decoded, whatever other code sets
    `PIL.ImageFile.LOAD_TRUNCATED_IMAGES` to: a JPEG whose decoder misses data or reads wrong codes, also if its end
    marker is there; a PNG with a wrong checksum. (A JPEG that is reduced is only checked if it is progressive or its
    last pixel has the grey of missing data. Without torchvision, JPEGs that are cut but closed are not detected.)

    Args:
        path: Path of the file.
        file: File to read instead, in which case `path` is only its name; it is closed.
        reduction: From the height and width of a JPEG to the factor (1, 2, 4 or 8) by which it may be reduced. The JPEG
            is decoded at that part of its size, rounded up.
        max_pixels: Largest number of pixels, by the header of the file; None for Pillow's limit.
        allow_damaged: Whether to read truncated and damaged files as far as they can be decoded.

    Returns:
        Image in RGB order, uint8, writable, shape (H, W, 3).

    Raises:
        UnreadableImage: If the path is missing or not a regular file, or if the file is empty, no image, truncated,
            damaged, too large, or of a mode that cannot be converted to RGB.
    """
    try:
        with _quiet(allow_damaged), file or _in_memory(path) as stream, Image.open(stream) as image:
            if max_pixels and image.width * image.height > max_pixels:
                raise ValueError(f'{image.width} x {image.height} pixels are more than max_pixels={max_pixels}')
            return _read(path, stream, image, reduction, allow_damaged)
    except MemoryError:  # a problem of the machine, not of the file
        raise
    except Exception as error:  # Pillow's decoders raise almost any type on damaged bytes
        raise UnreadableImage(path, _one_line(error)) from error


def upright_size(path: str) -> tuple[int, int]:
    """Returns the height and width of the image that `read_rgb` returns, from the file's header alone.

    Raises:
        UnreadableImage: If the file is missing, no image, or too large for Pillow. Truncation is not detected.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            with _open_regular(path) as file, Image.open(file) as image:
                height, width = image.height, image.width
                # Pillow's TIFF reader rotates image and size itself
                sideways = image.format != 'TIFF' and _orientation(image) in SIDEWAYS
    except Exception as error:  # Pillow's readers raise almost any type on damaged bytes
        raise UnreadableImage(path, _one_line(error)) from error
    return (width, height) if sideways else (height, width)


def _open_regular(path: str) -> BinaryIO:
    """Opens a regular file; a FIFO or a device could block or never end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError('it is not a regular file')
    return open(descriptor, 'rb')


def _in_memory(path: str) -> BinaryIO:
    """Reads the file in one piece: Pillow looks at a JPEG's header in some forty small reads."""
    with _open_regular(path) as file:
        return io.BytesIO(file.read())


def _read(
    path: str, stream: BinaryIO, image: Image.Image, reduction: Callable[[int, int], int] | None, allow_damaged: bool
) -> np.ndarray:
    array = None
    if image.format == 'JPEG':
        factor = reduction(image.height, image.width) if reduction else 1
        if factor > 1:
            image.draft(image.mode, (image.width // factor, image.height // factor))
        elif image.mode == 'RGB' and HAS_TORCHVISION:
            array = _decode_jpeg(path, stream, allow_damaged)
    elif image.format == 'PNG' and not allow_damaged:
        _verify_png(stream)
    if array is None:
        image.load()
        array = _to_rgb_array(image)
        if image.format == 'JPEG' and not allow_damaged and HAS_TORCHVISION and _may_lack_data(image, array):
            _decode_jpeg(path, stream, allow_damaged)
    # Not ImageOps.exif_transpose, which rewrites the other tags and fails on odd ones. Read after load(), because
    # Pillow's TIFF reader rotates the image there and removes the tag.
    orientation = _orientation(image)
    return np.array(Image.fromarray(array).transpose(UPRIGHT[orientation])) if orientation in UPRIGHT else array


def _decode_jpeg(path: str, stream: BinaryIO, allow_damaged: bool) -> np.ndarray | None:
    """Decodes a JPEG as stored; None if the fast decoder fails, so that Pillow reports why."""
    stream.seek(0)
    decoded = decode_rgb(stream.read())
    if decoded is None:
        return None
    if decoded.damage and not allow_damaged:
        raise ValueError(f'the file is damaged: {decoded.damage}')
    if decoded.warning and len(_warned) < MAX_WARNED and path not in _warned:
        _warned.add(path)
        print(f'{printable(path)}: {decoded.warning}', file=sys.stderr)
    return decoded.image


def _may_lack_data(image: Image.Image, array: np.ndarray) -> bool:
    """Returns whether Pillow, which hides libjpeg's warnings, may have filled in missing data of a JPEG."""
    return bool(image.info.get('progressive')) or bool((array[-1, -1] == GREY_OF_MISSING_DATA).all())


def _verify_png(stream: BinaryIO) -> None:
    """Checks the checksums of all chunks; Pillow's decoder ignores those of the pixels."""
    stream.seek(0)
    with Image.open(io.BytesIO(stream.read())) as copy:
        copy.verify()


def grey_to_uint8(values: np.ndarray) -> np.ndarray:
    """Scales grey values of more than 8 bits to 0..255 by one rule for all images (our choice).

    - integers within 0..65535: divided by 257, so that 65535 becomes 255 (a dark 16-bit image stays dark);
    - floats within 0..1: times 255; floats within 0..255: unchanged;
    - anything else has no known range: the image's own minimum becomes 0 and its maximum 255.

    Args:
        values: Integer or floating values, shape (H, W).

    Returns:
        Grey levels rounded to the nearest, uint8, shape (H, W).

    Raises:
        ValueError: If there are non-finite values.
    """
    scaled = values.astype(np.float64)
    low, high = scaled.min(), scaled.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError('it contains values that are not finite')
    is_integer = np.issubdtype(values.dtype, np.integer)
    if is_integer and low >= 0 and high <= 65535:
        scaled /= 257
    elif not is_integer and low >= 0 and high <= 1:
        scaled *= 255
    elif is_integer or low < 0 or high > 255:
        scaled = (scaled - low) / (high - low or 1) * 255
    return np.rint(scaled).astype(np.uint8)


@contextlib.contextmanager
def _quiet(allow_damaged: bool) -> Iterator[None]:
    """Makes truncated files raise unless they are allowed, and keeps Pillow's warnings (odd EXIF) out of the log."""
    truncated_allowed = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = allow_damaged
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = truncated_allowed


def _orientation(image: Image.Image) -> int | None:
    try:
        return image.getexif().get(ORIENTATION_TAG)
    except Exception:  # a damaged EXIF block does not state an orientation: the image stays as it is stored
        return None


def _to_rgb_array(image: Image.Image) -> np.ndarray:
    if image.mode == 'F' or image.mode == 'I' or image.mode.startswith('I;16'):
        grey = grey_to_uint8(np.asarray(image))
        return np.repeat(grey[..., None], 3, axis=2)
    return np.array(image if image.mode == 'RGB' else image.convert('RGB'))


def _one_line(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):  # Pillow's text names the object in memory
        return 'cannot identify image file: it is empty, no image, or of a format that Pillow does not support'
    text = ' '.join(str(error).split())
    return f'{text} ({type(error).__name__})' if text else type(error).__name__
