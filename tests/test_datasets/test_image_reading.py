import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image, ImageFile

from mmssl_geo.datasets import image_reading
from mmssl_geo.datasets.image_reading import UnreadableImage, grey_to_uint8, read_rgb


@pytest.fixture
def picture():
    """(20, 30, 3): four flat quadrants, so that JPEG keeps them and every turn or flip shows."""
    image = np.zeros((20, 30, 3), np.uint8)
    image[:10, :15] = 200, 30, 30
    image[:10, 15:] = 30, 200, 30
    image[10:, :15] = 30, 30, 200
    image[10:, 15:] = 220, 220, 220
    return image


def save(path, image, **options):
    Image.fromarray(image).save(path, **options)
    return str(path)


@pytest.mark.parametrize('ending', ['png', 'bmp', 'tif', 'ppm', 'webp'])
def test_lossless_formats_come_back_exactly(tmp_path, picture, ending):
    path = save(tmp_path / f'a.{ending}', picture, **({'lossless': True} if ending == 'webp' else {}))
    read = read_rgb(path)
    assert read.dtype == np.uint8 and read.flags.writeable
    np.testing.assert_array_equal(read, picture)


# How a viewer must turn the stored array, straight from the EXIF definition: "row 0 is ..., column 0 is ...".
UPRIGHT_BY_DEFINITION = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],  # column 0 is the right side
    3: lambda a: a[::-1, ::-1],  # row 0 is the bottom, column 0 the right side
    4: lambda a: a[::-1],  # row 0 is the bottom
    5: lambda a: a.swapaxes(0, 1),  # row 0 is the left side, column 0 the top
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],  # row 0 is the right side, column 0 the top
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),  # row 0 is the right side, column 0 the bottom
    8: lambda a: a.swapaxes(0, 1)[::-1],  # row 0 is the left side, column 0 the bottom
}


@pytest.mark.parametrize('ending', ['png', 'tif'])
@pytest.mark.parametrize('orientation', range(1, 9))
def test_exif_orientation_is_applied_once(tmp_path, picture, orientation, ending):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / f'a.{ending}', picture, exif=exif)
    np.testing.assert_array_equal(read_rgb(path), UPRIGHT_BY_DEFINITION[orientation](picture))


def test_broken_exif_leaves_the_picture_as_stored(tmp_path, picture):
    path = save(tmp_path / 'a.jpg', picture, quality=95, exif=b'Exif\x00\x00XX not a directory')
    assert np.abs(read_rgb(path).astype(int) - picture).mean() < 8


def test_cmyk_and_grey_jpeg(tmp_path, picture):
    Image.fromarray(picture).convert('CMYK').save(tmp_path / 'cmyk.jpg', quality=100, subsampling=0)
    assert Image.open(tmp_path / 'cmyk.jpg').mode == 'CMYK'
    assert np.abs(read_rgb(str(tmp_path / 'cmyk.jpg')).astype(int) - picture).max() <= 25  # ringing at the edges
    assert np.abs(read_rgb(str(tmp_path / 'cmyk.jpg')).astype(int)[2:6, 2:6] - picture[2:6, 2:6]).max() <= 4
    grey = save(tmp_path / 'grey.png', picture[..., 0])
    np.testing.assert_array_equal(read_rgb(grey), np.repeat(picture[..., :1], 3, 2))


def test_palette_bits_and_alpha(tmp_path, picture):
    alpha = np.full((20, 30, 1), 7, np.uint8)
    np.testing.assert_array_equal(read_rgb(save(tmp_path / 'rgba.png', np.dstack([picture, alpha]))), picture)
    grey_alpha = np.dstack([picture[..., 1], alpha[..., 0]])
    Image.fromarray(grey_alpha, 'LA').save(tmp_path / 'la.png')
    np.testing.assert_array_equal(read_rgb(str(tmp_path / 'la.png')), np.repeat(picture[..., 1:2], 3, 2))
    palette = Image.fromarray(picture).quantize(4)
    palette.save(tmp_path / 'p.png', transparency=bytes([0, 9, 255, 40]))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        np.testing.assert_array_equal(read_rgb(str(tmp_path / 'p.png')), picture)
    bits = picture[..., 0] > 100
    Image.fromarray(bits).save(tmp_path / 'bits.png')
    assert Image.open(tmp_path / 'bits.png').mode == '1'
    np.testing.assert_array_equal(read_rgb(str(tmp_path / 'bits.png'))[..., 1], bits * 255)


@pytest.mark.parametrize('name, mode', [('a.png', ('I;16', 'I')), ('a.tif', ('I;16',)), ('a.pgm', ('I', 'I;16'))])
def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path, name, mode):
    values = np.linspace(0, 65535, 256 * 4).astype(np.uint16).reshape(32, 32)
    if name.endswith('pgm'):
        (tmp_path / name).write_bytes(b'P5 32 32 65535\n' + values.astype('>u2').tobytes())
    else:
        save(tmp_path / name, values)
    assert Image.open(tmp_path / name).mode in mode
    np.testing.assert_array_equal(read_rgb(str(tmp_path / name))[..., 2], np.rint(values / 257))


def test_big_endian_sixteen_bit_tiff(tmp_path):
    values = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    entries = [
        (256, 3, 8),
        (257, 3, 8),
        (258, 3, 16),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 200),
        (277, 3, 1),
        (278, 3, 8),
        (279, 4, 128),
    ]
    directory = len(entries).to_bytes(2, 'big')
    for tag, kind, value in entries:
        stored = value.to_bytes(2, 'big') + b'\0\0' if kind == 3 else value.to_bytes(4, 'big')
        directory += tag.to_bytes(2, 'big') + kind.to_bytes(2, 'big') + (1).to_bytes(4, 'big') + stored
    head = b'MM\0*' + (8).to_bytes(4, 'big') + directory + b'\0\0\0\0'
    (tmp_path / 'be.tif').write_bytes(head.ljust(200, b'\0') + values.astype('>u2').tobytes())
    assert Image.open(tmp_path / 'be.tif').mode == 'I;16B'
    np.testing.assert_array_equal(read_rgb(str(tmp_path / 'be.tif'))[..., 0], np.rint(values / 257))


def test_scale_of_wide_grey_values():
    def scale(values, dtype):
        return grey_to_uint8(np.array([values], dtype)).tolist()[0]

    assert scale([0, 257, 65535], np.int32) == [0, 1, 255]
    assert scale([0, 4095], np.uint16) == [0, 16]  # 12 bits in 16 stay dark
    assert scale([-100000, 0, 100000], np.int32) == [0, 128, 255]
    assert scale([0, 0.5, 1], np.float32) == [0, 128, 255]
    assert scale([0, 17, 255], np.float32) == [0, 17, 255]
    assert scale([-3, 1, 5], np.float32) == [0, 128, 255]
    assert scale([1e9, 1e9], np.float64) == [0, 0]


def test_float_tiff(tmp_path):
    ramp = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    path = save(tmp_path / 'f.tif', ramp)
    assert Image.open(path).mode == 'F'
    np.testing.assert_array_equal(read_rgb(path)[..., 0], np.rint(ramp.astype(np.float64) * 255))
    ramp[3, 3] = np.nan
    with pytest.raises(UnreadableImage, match='not finite'):
        read_rgb(save(tmp_path / 'nan.tif', ramp))


def test_thin_image(tmp_path):
    row = np.arange(4000 * 3, dtype=np.uint64).astype(np.uint8).reshape(1, 4000, 3)
    np.testing.assert_array_equal(read_rgb(save(tmp_path / 'row.png', row)), row)


@pytest.mark.parametrize('ending', ['jpg', 'png', 'bmp', 'gif', 'tif', 'webp', 'ppm'])
@pytest.mark.parametrize('allowed', [False, True])
def test_truncated_files_are_refused(tmp_path, ending, allowed, monkeypatch):
    monkeypatch.setattr(ImageFile, 'LOAD_TRUNCATED_IMAGES', allowed)  # other libraries set it
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    path = save(tmp_path / f'a.{ending}', noise)
    assert read_rgb(path).shape == (60, 60, 3)
    data = (tmp_path / f'a.{ending}').read_bytes()
    for keep in (len(data) // 2, len(data) * 9 // 10):
        (tmp_path / f'a.{ending}').write_bytes(data[:keep])
        with pytest.raises(UnreadableImage):
            read_rgb(path)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is allowed


def test_what_is_no_image(tmp_path):
    (tmp_path / 'zero.jpg').write_bytes(b'')
    (tmp_path / 'text.jpg').write_text('not an image')
    for name, reason in [
        ('zero.jpg', 'cannot identify'),
        ('text.jpg', 'cannot identify'),
        ('none.jpg', 'No such file'),
        ('.', 'not a regular file'),
    ]:
        with pytest.raises(UnreadableImage, match=reason) as caught:
            read_rgb(str(tmp_path / name))
        assert '\n' not in str(caught.value)
        assert str(caught.value).startswith(str(tmp_path / name) + ': ')
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.path, copy.reason) == (caught.value.path, caught.value.reason)


def test_decompression_bomb(tmp_path, picture, monkeypatch):
    path = save(tmp_path / 'a.png', picture)
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 20 * 30 - 1)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        np.testing.assert_array_equal(read_rgb(path), picture)  # Pillow only warns up to twice its limit
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 20 * 30 // 2 - 1)
    with pytest.raises(UnreadableImage, match='decompression bomb'):
        read_rgb(path)


def test_memory_error_is_not_blamed_on_the_file(tmp_path, picture, monkeypatch):
    def fail(self, *args, **kwargs):
        raise MemoryError

    path = save(tmp_path / 'a.bmp', picture)
    monkeypatch.setattr(ImageFile.ImageFile, 'load', fail)
    with pytest.raises(MemoryError):
        read_rgb(path)


def test_without_torch_pillow_decodes_to_the_same_pixels(tmp_path):
    """The environment of Selective Search loads the file by path and has neither torch nor torchvision."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'a.jpg', quality=90)
    code = (
        'import importlib.util, sys\n'
        'sys.modules.update(torch=None, torchvision=None)\n'
        f'spec = importlib.util.spec_from_file_location("reading", {image_reading.__file__!r})\n'
        'reading = importlib.util.module_from_spec(spec)\n'
        'sys.modules["reading"] = reading\n'
        'spec.loader.exec_module(reading)\n'
        'import numpy as np\n'
        f'np.save({str(tmp_path / "a.npy")!r}, reading.read_rgb({str(tmp_path / "a.jpg")!r}))\n'
    )
    subprocess.run([sys.executable, '-I', '-c', code], check=True)
    assert np.array_equal(np.load(tmp_path / 'a.npy'), image_reading.read_rgb(str(tmp_path / 'a.jpg')))
