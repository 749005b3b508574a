import numpy as np
import pytest
import torch
from PIL import Image

from mmssl_geo import get_model
from mmssl_geo.checkpoints import convert
from mmssl_geo.utils.errors import UserError


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """A photo and a network in two layouts: as trained, with the teacher's prefix, and exported."""
    root = tmp_path_factory.mktemp('attention')
    pixels = np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(root / 'photo.png')
    state = get_model('vitt16').state_dict()
    weights = {f'{prefix}backbone.{key}': value for prefix in ('', 'teacher.') for key, value in state.items()}
    torch.save(dict(state_dict=weights), root / 'trained.pth')
    convert(root / 'trained.pth', root / 'exported.pth', 'mmpretrain')
    return root


@pytest.mark.parametrize(
    'name, options, rows',
    [
        ('trained.pth', ['--point', 10, 20, '--point', 69, 49], 3),
        ('exported.pth', ['--size', '32x48', '--block', 0], 1),
        ('trained.pth', ['--net', 'vitt16', '--weights', 'student', '--size', 64, '--point', 69.5, 49], 2),
    ],
)
def test_figure(run_tool, files, tmp_path, name, options, rows):
    out = tmp_path / 'new' / 'attention.png'
    run_tool.main('attention_maps.py', files / name, files / 'photo.png', *options, '--out', out)
    with Image.open(out) as figure:
        width, height = figure.size
    columns = 5  # the image, the mean and three heads
    assert width == pytest.approx(columns * 208 + 8, abs=2)
    assert height > rows * 100


@pytest.mark.parametrize(
    'checkpoint, image, options, message',
    [
        ('trained.pth', 'none.png', [], 'none.png cannot be read'),
        ('none.pth', 'photo.png', [], 'no such file'),
        ('trained.pth', 'photo.png', ['--point', 70, 0], 'lies outside the image'),
        ('trained.pth', 'photo.png', ['--size', '0x9'], '--size 0x9: give a side'),
        ('trained.pth', 'photo.png', ['--out', 'a.pdf'], 'must end in .png'),
    ],
)
def test_wrong_arguments(run_tool, files, checkpoint, image, options, message):
    with pytest.raises(UserError, match=message):
        run_tool.main('attention_maps.py', files / checkpoint, files / image, *options)
