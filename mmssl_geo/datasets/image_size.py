"""The size that an image will have once it is read, from its header alone."""
import warnings

from PIL import Image

from .image_reading import ORIENTATION_TAG, UnreadableImage

SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap height and width


def upright_size(path):
    """`(height, width)` that `read_rgb` would give.

    Raises:
        UnreadableImage: missing, no image, or too large for Pillow. A file truncated later on is not noticed here.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            with Image.open(path) as image:
                size = image.height, image.width
                # Pillow's TIFF reader turns picture and size itself
                sideways = image.format != 'TIFF' and _orientation(image) in SIDEWAYS
    except Exception as error:  # Pillow's readers raise almost any type on broken bytes
        raise UnreadableImage(path, f'{error} ({type(error).__name__})') from error
    return size[::-1] if sideways else size


def _orientation(image):
    try:
        return image.getexif().get(ORIENTATION_TAG)
    except Exception:  # a broken EXIF block says nothing, as in read_rgb
        return None
