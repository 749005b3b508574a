"""Image files that are damaged, forged, unusual or no files at all, each with the outcome that reading must have.

`python -m tests.support.hostile_images FOLDER` writes and reads all of them.
"""

import io
import json
import os
import signal
import socket
import struct
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SECONDS = 10  # for one file
SIZE = (96, 128)  # height, width
LOSSLESS = ('PNG', 'BMP', 'TIFF', 'GIF', 'PPM', 'WEBP')
FORMATS = {'JPEG': '.jpg', 'PNG': '.png', 'BMP': '.bmp', 'TIFF': '.tif', 'GIF': '.gif', 'WEBP': '.webp', 'PPM': '.ppm'}


@dataclass(frozen=True)
class Case:
    """A file: `write(path)` makes it. It must be unreadable, or give `pixels` up to `tolerance`."""

    name: str
    write: object
    pixels: np.ndarray | None = None
    tolerance: float = 0
    suffix: str = '.jpg'
    factor: int = 1
    allow_damaged: bool = False


def picture():
    """A smooth picture with few colours, so that each format holds it well."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.stack([x // 32 * 60, y // 24 * 60, (x // 32 + y // 24) * 30], 2).astype(np.uint8)


def encoded(kind, array=None, mode=None, **options):
    buffer = io.BytesIO()
    image = Image.fromarray(picture() if array is None else array)
    image = image.convert(mode) if mode else image
    if kind == 'JPEG':
        options = dict(quality=95, subsampling=0, **options)
    elif kind == 'WEBP':
        options = dict(lossless=True, **options)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise():
    return np.random.default_rng(0).integers(0, 255, (*SIZE, 3), dtype=np.uint8)


def content(data):
    return lambda path: Path(path).write_bytes(data)


def tolerance(kind):
    return 0 if kind in LOSSLESS else 6


def good_cases():
    for kind, suffix in FORMATS.items():
        data = encoded(kind)
        for ending in dict.fromkeys((suffix, suffix.upper(), '.jpg', '.png', '.jfif')):
            yield Case(f'{kind} named {ending}', content(data), picture(), tolerance(kind), suffix=ending)
        for orientation in range(1, 9):
            if kind in ('JPEG', 'PNG', 'WEBP'):
                exif = Image.Exif()
                exif[0x0112] = orientation
                upright = _upright(picture(), orientation)
                yield Case(
                    f'{kind}, orientation {orientation}', content(encoded(kind, exif=exif)), upright, tolerance(kind)
                )
    grey = np.repeat(picture()[..., :1], 3, 2)
    for kind in ('JPEG', 'PNG', 'BMP', 'TIFF', 'GIF'):
        yield Case(f'{kind}, grey', content(encoded(kind, picture()[..., 0])), grey, tolerance(kind))
    yield Case('CMYK', content(encoded('JPEG', mode='CMYK')), picture(), 30)
    yield Case('progressive', content(encoded('JPEG', progressive=True)), picture(), 6)
    yield Case('progressive, reduced', content(encoded('JPEG', progressive=True)), picture()[::2, ::2], 60, factor=2)
    yield Case('reduced', content(encoded('JPEG')), picture()[::2, ::2], 60, factor=2)
    yield Case('PNG, palette', content(encoded('PNG', mode='P')), picture(), 60)
    yield Case('PNG, alpha', content(encoded('PNG', mode='RGBA')), picture())
    black = np.zeros((*SIZE, 3), np.uint8)
    yield Case('PNG, 1 bit', content(encoded('PNG', black, mode='1')), black)
    yield Case('PNG, 16 bits', content(encoded('PNG', picture()[..., 0].astype(np.uint16) * 257)), grey)
    uniform = np.full((*SIZE, 3), 128, np.uint8)
    yield Case('the grey of missing data', content(encoded('JPEG', uniform)), uniform, 2)
    yield Case('the grey of missing data, reduced', content(encoded('JPEG', uniform)), uniform[::2, ::2], 2, factor=2)
    yield Case('one pixel', content(encoded('PNG', picture()[:1, :1])), picture()[:1, :1])
    yield Case('one row', content(encoded('JPEG', picture()[:1])), picture()[:1], 30)
    frames = [Image.fromarray(picture()), Image.fromarray(noise())]
    for kind in ('GIF', 'TIFF', 'WEBP'):
        buffer = io.BytesIO()
        frames[0].save(
            buffer, kind, save_all=True, append_images=frames[1:], **(dict(lossless=True) if kind == 'WEBP' else {})
        )
        yield Case(f'{kind} of two frames', content(buffer.getvalue()), picture())
    yield Case('JPEG with bytes behind it', content(encoded('JPEG') + bytes(1000)), picture(), 6)
    yield Case('PNG with bytes behind it', content(encoded('PNG') + bytes(1000)), picture())
    data = encoded('JPEG')
    extraneous = data[:-2] + b'\x00\x00\x00' + data[-2:]
    yield Case('JPEG with extraneous bytes before its end', content(extraneous), picture(), 6)


def _upright(array, orientation):
    turned = {3: 2, 4: 2, 5: 3, 6: 3, 7: 1, 8: 1}.get(orientation, 0)
    array = np.rot90(array, turned) if orientation not in (2, 4, 5, 7) else array
    if orientation == 2:
        return array[:, ::-1]
    if orientation == 4:
        return array[::-1]
    if orientation == 5:
        return array.transpose(1, 0, 2)
    if orientation == 7:
        return array[::-1, ::-1].transpose(1, 0, 2)
    return array


def cut_cases():
    for kind in FORMATS:
        data = encoded(kind, noise())
        for share in (0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97):
            yield Case(f'{kind} cut at {share:.0%}', content(data[: int(len(data) * share)]))
        yield Case(f'{kind} cut to its signature', content(data[:8]))
    for progressive in (False, True):
        data = encoded('JPEG', noise(), progressive=progressive)
        for share in (0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.98):
            for factor in (1, 2, 8):
                kind = 'progressive JPEG' if progressive else 'JPEG'
                closed = data[: int(len(data) * share)].rstrip(b'\xff') + b'\xff\xd9'
                yield Case(f'{kind} cut at {share:.0%} and closed, reduced by {factor}', content(closed), factor=factor)
    data = encoded('JPEG', noise(), mode='L')
    for share in (0.3, 0.6, 0.9):
        yield Case(f'grey JPEG cut at {share:.0%} and closed', content(data[: int(len(data) * share)] + b'\xff\xd9'))


def claim_cases():
    jpeg = encoded('JPEG', noise())
    start = jpeg.index(b'\xff\xc0') + 5
    for height, width in ((12000, 12000), (65535, 65535), (4000, 4000), (0, 128), (96, 0), (192, 128), (97, 1280)):
        data = jpeg[:start] + struct.pack('>HH', height, width) + jpeg[start + 4 :]
        yield Case(f'JPEG that claims {height} x {width}', content(data))
    png = encoded('PNG', noise())
    for height, width in ((12000, 12000), (2**31 - 1, 2**31 - 1), (0, 5), (1000, 1000)):
        header = b'IHDR' + struct.pack('>II', width, height) + png[24:29]
        data = png[:12] + header + struct.pack('>I', zlib.crc32(header)) + png[33:]
        yield Case(f'PNG that claims {height} x {width}', content(data))
    bmp = encoded('BMP', noise())
    for height, width in ((12000, 12000), (2**31 - 1, 2), (97, 128)):
        yield Case(
            f'BMP that claims {height} x {width}', content(bmp[:18] + struct.pack('<ii', width, height) + bmp[26:])
        )
    gif = encoded('GIF')
    yield Case('GIF that claims 65535 x 65535', content(gif[:6] + b'\xff\xff\xff\xff' + gif[10:]))
    for text in (
        b'P6 12000 12000 255\n',
        b'P6 0 0 255\n',
        b'P6 10 10 99999999\n',
        b'P6 -1 5 255\n',
        b'P5 99999999999 2 255\n',
    ):
        yield Case(f'PPM {text[:-1].decode()}', content(text + bytes(300)))


def flip_cases():
    generator = np.random.default_rng(1)
    png = encoded('PNG', noise())
    for position in generator.integers(40, len(png) - 20, 25):
        yield Case(f'PNG with byte {position} flipped', content(_flipped(png, position)))
    for position in (0, 1, 12, 17, 20, 30):
        yield Case(f'PNG header with byte {position} flipped', content(_flipped(png, position)))
    broken = png[:-12] + b'\x00\x00\x00\x00IEND\x00\x00\x00\x00'
    yield Case('PNG with a wrong checksum of its empty last chunk', content(broken), noise())
    jpeg = encoded('JPEG', noise())
    for position in range(len(jpeg) // 2, len(jpeg) // 2 + 400, 40):
        data = bytearray(jpeg)
        data[position : position + 4] = b'\xff\xd9\xff\xd9'
        yield Case(f'JPEG with an end marker at {position}', content(bytes(data)))


def _flipped(data, position):
    changed = bytearray(data)
    changed[int(position)] ^= 0x55
    return bytes(changed)


def other_cases():
    texts = {
        'empty': b'',
        'text': b'not an image',
        'html': b'<html><body>404</body></html>',
        'svg': b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        'zeros': bytes(5000),
        'ones': b'\xff' * 5000,
        'zip': b'PK\x03\x04' + bytes(100),
        'pdf': b'%PDF-1.4\n',
        'EPS': b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n',
        'gzip': b'\x1f\x8b\x08' + bytes(50),
        'git-lfs pointer': b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n',
    }
    for name, data in texts.items():
        for ending in ('.jpg', '.png', '.tif', '.webp'):
            yield Case(f'{name} named {ending}', content(data), suffix=ending)
    yield Case('a FIFO', os.mkfifo)
    yield Case('a socket', _socket)
    yield Case('a folder', os.mkdir)
    for target in ('/dev/zero', '/dev/null', '/dev/full', '/dev/tty', '/nowhere', '.'):
        yield Case(f'a link to {target}', lambda path, target=target: os.symlink(target, path))
    yield Case('a link to itself', lambda path: os.symlink(os.path.basename(path), path))
    yield Case('no file', lambda path: None)


def _socket(path):
    folder = os.getcwd()
    os.chdir(os.path.dirname(path))  # paths of sockets are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.basename(path))
    os.chdir(folder)


def allowed_cases():
    """Damaged files that are read as far as possible on demand."""
    data = encoded('JPEG', noise())
    for share in (0.5, 0.9):
        yield Case(
            f'JPEG cut at {share:.0%}, allowed',
            content(data[: int(len(data) * share)]),
            noise(),
            256,
            allow_damaged=True,
        )
        closed = data[: int(len(data) * share)] + b'\xff\xd9'
        yield Case(f'JPEG cut at {share:.0%} and closed, allowed', content(closed), noise(), 256, allow_damaged=True)
    png = encoded('PNG', noise())
    yield Case('PNG with a wrong checksum, allowed', content(png[:-4] + b'abcd'), noise(), allow_damaged=True)


def all_cases():
    """Returns all cases, with unique names."""
    groups = (good_cases, cut_cases, claim_cases, flip_cases, other_cases, allowed_cases)
    cases = [case for group in groups for case in group()]
    assert len({case.name for case in cases}) == len(cases)
    return cases


def outcome(case, path):
    """Returns what is wrong with reading the case's file, or '' if all is as expected."""
    from mmssl_geo.datasets.image_reading import UnreadableImage, read_rgb

    case.write(path)
    reduction = (lambda height, width: case.factor) if case.factor > 1 else None
    signal.alarm(SECONDS)
    try:
        image = read_rgb(path, None, reduction, allow_damaged=case.allow_damaged)
    except UnreadableImage as error:
        text = str(error)
        if '\n' in text or not error.reason:
            return f'message: {text!r}'
        return '' if case.pixels is None else f'refused: {text}'
    finally:
        signal.alarm(0)
    if case.pixels is None:
        return 'was read'
    if image.shape != case.pixels.shape or image.dtype != np.uint8:
        return f'shape {image.shape}'
    return '' if np.abs(image.astype(int) - case.pixels).max() <= case.tolerance else 'other pixels'


def main(folder):
    """Reads all files; prints a JSON object: number of files, seconds, and what was wrong by the file's name."""
    cases, wrong, start = all_cases(), {}, time.monotonic()
    for index, case in enumerate(cases):
        print(index, case.name, file=sys.stderr, flush=True)
        try:
            problem = outcome(case, os.path.join(folder, f'{index}{case.suffix}'))
        except Exception as error:
            problem = f'{type(error).__name__}: {error}'
        if problem:
            wrong[case.name] = problem[:300]
    print(json.dumps(dict(files=len(cases), seconds=time.monotonic() - start, wrong=wrong)))


if __name__ == '__main__':
    main(sys.argv[1])
