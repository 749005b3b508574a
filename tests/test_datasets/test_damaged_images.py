"""Files that look like images but are not whole, not regular, or too large; and names that a log cannot hold."""

import io
import os

import numpy as np
import pytest
from mmengine.logging import MMLogger
from PIL import Image

from mmssl_geo.datasets import ImageListDataset
from mmssl_geo.datasets import image_reading as reading
from mmssl_geo.datasets.image_names import scan_folder
from mmssl_geo.datasets.image_reading import UnreadableImage, printable, read_rgb

PICTURE = np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)


def encoded(kind, **options):
    buffer = io.BytesIO()
    Image.fromarray(PICTURE).save(buffer, kind, **options)
    return buffer.getvalue()


def closed(data, share):
    """A JPEG that lacks the last part of its data but has an end marker."""
    return data[: int(len(data) * share)].rstrip(b'\xff') + b'\xff\xd9'


@pytest.mark.parametrize('progressive', [False, True])
@pytest.mark.parametrize('factor', [1, 4])
def test_jpeg_cut_and_closed(tmp_path, progressive, factor, capfd):
    data = encoded('JPEG', progressive=progressive)
    (tmp_path / 'a.jpg').write_bytes(data)
    whole = read_rgb(str(tmp_path / 'a.jpg'), None, lambda *_: factor)
    (tmp_path / 'a.jpg').write_bytes(closed(data, 0.7))
    with pytest.raises(UnreadableImage, match=r'a\.jpg: the file is damaged: .*(premature end|Huffman)'):
        read_rgb(str(tmp_path / 'a.jpg'), None, lambda *_: factor)
    assert capfd.readouterr().err == ''
    part = read_rgb(str(tmp_path / 'a.jpg'), None, lambda *_: factor, allow_damaged=True)
    assert part.shape == whole.shape
    if not progressive:
        rows = len(part) // 3
        np.testing.assert_array_equal(part[:rows], whole[:rows])


def test_harmless_warning_has_the_name_of_the_file_once(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(reading, '_warned', set())
    data = encoded('JPEG')
    (tmp_path / 'a.jpg').write_bytes(data)
    whole = read_rgb(str(tmp_path / 'a.jpg'))
    start = data.index(b'\xff\xdb')
    (tmp_path / 'a.jpg').write_bytes(data[:start] + bytes(3) + data[start:])
    for _ in range(2):
        np.testing.assert_array_equal(read_rgb(str(tmp_path / 'a.jpg')), whole)
    assert capfd.readouterr().err.count('extraneous bytes') == 1
    read_rgb(str(tmp_path / 'a.jpg'))
    os.write(2, b'still there\n')
    assert capfd.readouterr().err == 'still there\n'


def test_png_with_a_wrong_checksum(tmp_path):
    data = bytearray(encoded('PNG'))
    data[data.index(b'IEND') - 6] ^= 1  # in the checksum of the last chunk of pixels
    (tmp_path / 'a.png').write_bytes(data)
    with pytest.raises(UnreadableImage, match='checksum'):
        read_rgb(str(tmp_path / 'a.png'))
    np.testing.assert_array_equal(read_rgb(str(tmp_path / 'a.png'), allow_damaged=True), PICTURE)


def test_max_pixels(tmp_path):
    (tmp_path / 'a.png').write_bytes(encoded('PNG'))
    assert read_rgb(str(tmp_path / 'a.png'), max_pixels=96 * 128).shape == (96, 128, 3)
    with pytest.raises(UnreadableImage, match='128 x 96 pixels are more than max_pixels=12287'):
        read_rgb(str(tmp_path / 'a.png'), max_pixels=96 * 128 - 1)
    (tmp_path / 'b.png').write_bytes(encoded('PNG'))
    with pytest.raises(Exception, match=r'none of 2 images tried, of 2, can be read.*max_pixels=5'):
        ImageListDataset(str(tmp_path), max_pixels=5)


@pytest.mark.parametrize('make', [os.mkfifo, lambda path: os.symlink('/dev/zero', path)])
def test_files_that_are_no_files(tmp_path, make):
    make(tmp_path / 'a.jpg')
    with pytest.raises(UnreadableImage, match='not a regular file'):
        read_rgb(str(tmp_path / 'a.jpg'))
    with pytest.raises(UnreadableImage, match='not a regular file'):
        reading.upright_size(str(tmp_path / 'a.jpg'))
    assert len(scan_folder(str(tmp_path))) == 0


def test_scan_counts_what_it_leaves_out(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(MMLogger, '_instance_dict', {})
    for name in ('a.JPG', 'b.jfif', 'c.txt', 'd.TXT', 'e', 'f.heic', '.hidden.jpg'):
        (tmp_path / name).write_bytes(b'')
    os.mkfifo(tmp_path / 'g.jpg')
    assert list(scan_folder(str(tmp_path))) == ['a.JPG', 'b.jfif']
    line = capsys.readouterr().err
    assert line == f'{tmp_path}: 2 images; left out: 2 .txt, 1 (no extension), 1 (not a regular file), 1 .heic\n'


def test_names_that_a_log_cannot_hold(tmp_path):
    assert printable('a\nb\x1b\udcff é') == 'a\\nb\\x1b\\udcff é'
    names = [b'a\nb.jpg', b'\xff\xfe.jpg', b'tab\t.jpg']
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(b'')
    Image.fromarray(PICTURE).save(tmp_path / 'z.jpg')
    dataset = ImageListDataset(str(tmp_path), max_unreadable=1)
    assert len(dataset) == 4
    lines = [line for index in (0, 3) for line in dataset[index]['unreadable'].split('\n')]
    assert [line.split('/')[-1].split(':')[0] for line in lines] == [
        'a\\nb.jpg',
        'tab\\t.jpg',
        '\\udcff\\udcfe.jpg',
        'a\\nb.jpg',
        'tab\\t.jpg',
    ]
    '\n'.join(lines).encode('utf-8')
