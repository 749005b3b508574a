import numpy as np
import pytest
from PIL import Image

from mmssl_geo.datasets.image_reading import UnreadableImage, read_rgb, upright_size


@pytest.mark.parametrize('ending', ['jpg', 'png', 'tiff', 'webp'])
@pytest.mark.parametrize('orientation', range(9))
def test_the_header_says_the_size_that_reading_gives(tmp_path, ending, orientation):
    image = Image.fromarray(np.zeros((10, 24, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112] = orientation
    path = str(tmp_path / f'a.{ending}')
    image.save(path, exif=exif)
    assert upright_size(path) == read_rgb(path).shape[:2]
    assert upright_size(path) == ((24, 10) if orientation >= 5 else (10, 24))


def test_what_is_no_image(tmp_path):
    (tmp_path / 'a.jpg').write_bytes(b'nothing')
    for name in ('a.jpg', 'gone.jpg'):
        with pytest.raises(UnreadableImage, match=name):
            upright_size(str(tmp_path / name))
