import json
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from mmpretrain.models import VisionTransformer
from PIL import Image

from mmssl_geo.evaluation.geometry import GEOMETRY_MEASURES
from mmssl_geo.utils.errors import UserError
from tests.support import ROOT
from tests.support.features import noise_image

TOOL = ROOT / 'tools' / 'analyze_geometry.py'
FAST = ('--size', 96, '--seeds', 2, '--num-heads', 3)
ARCH = dict(embed_dims=48, num_layers=2, num_heads=3, feedforward_channels=96)


@pytest.fixture
def run(run_tool, monkeypatch, tmp_path):
    """Calls the tool's `main` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return partial(run_tool.main, 'analyze_geometry.py')


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / 'photos'
    folder.mkdir()
    for number in range(10):
        Image.fromarray(noise_image(number, 90 + 7 * number, 120)).save(folder / f'{number}.png')
    return folder


def state(seed, prefix=''):
    """Weights of a tiny vision transformer, all random."""
    generator = torch.Generator().manual_seed(seed)
    net = VisionTransformer(ARCH, 64, 16, out_type='featmap')
    return {
        prefix + key: torch.randn(value.shape, generator=generator) * 0.3 for key, value in net.state_dict().items()
    }


@pytest.fixture
def checkpoints(tmp_path):
    """A training checkpoint of a student and a teacher, and an encoder that is this teacher."""
    training, encoder = tmp_path / 'run' / 'epoch_1.pth', tmp_path / 'export.pth'
    training.parent.mkdir()
    torch.save(dict(state_dict={**state(1, 'backbone.'), **state(2, 'teacher.backbone.')}), training)
    torch.save(dict(state_dict=state(2)), encoder)
    return training, encoder


def nets_of(path):
    content = json.loads(path.read_text())
    return content['settings'], {net['name']: net['measures'] for net in content['nets']}


def test_picture_table_and_numbers_of_several_nets(run, tmp_path, photos, checkpoints, capsys):
    run(*checkpoints, '--images', photos, '--random', *FAST, '--out', 'new/geo.png')
    out, err = capsys.readouterr()
    assert Image.open(tmp_path / 'new' / 'geo.png').width == 1500
    settings, nets = nets_of(tmp_path / 'new' / 'geo.json')
    assert list(nets) == ['epoch_1', 'export', 'random weights'] and settings['num_images'] == 10
    assert all(list(measures) == list(GEOMETRY_MEASURES) for measures in nets.values())
    # The teacher is the default, and the same weights give the same numbers.
    assert nets['epoch_1'] == nets['export'] != nets['random weights']
    table = (tmp_path / 'new' / 'geo.md').read_text()
    assert table in out and table.count('\n') == 5
    accuracy = nets['export']['rotation_accuracy']
    assert f'| export | {100 * accuracy["mean"]:.1f} ± {100 * accuracy["std"]:.1f} (25.0) |' in table
    for name in nets:
        assert f'{name}:\n' in out and err.count('70/70') == 3
    assert '10 of 10 images' in out


def test_options_reach_the_measures(run, tmp_path, photos, checkpoints):
    training = checkpoints[0]
    for name, args in dict(
        a=(),
        again=(),
        seed=('--seed', 1),
        student=('--weights', 'student'),
        tolerance=('--tolerance', 1.5),
        images=('--num-images', 8),
        batch=('--batch-size', 3),
    ).items():
        run(training, '--images', photos, *FAST, *args, '--names', 'net', '--out', f'{name}.png')
    results = {path.stem: nets_of(path)[1]['net'] for path in tmp_path.glob('*.json')}
    assert results['a'] == results['again']
    for name in ('seed', 'student', 'images'):
        assert results[name]['rotation_equivariance_error'] != results['a']['rotation_equivariance_error'], name
    same = [results[name]['rotation_equivariance_error']['mean'] for name in ('a', 'tolerance', 'batch')]
    assert np.allclose(same, same[0], rtol=1e-4)
    chances = [results[name]['upright_precision']['chance'] for name in ('a', 'tolerance')]
    assert chances[1] > 1.5 * chances[0]


def test_equal_file_names_are_distinguished_by_their_folders(run, tmp_path, photos, checkpoints):
    other = tmp_path / 'other' / 'epoch_1.pth'
    other.parent.mkdir()
    torch.save(dict(state_dict=state(3)), other)
    run(checkpoints[0], other, '--images', photos, *FAST, '--out', 'a.png')
    assert list(nets_of(tmp_path / 'a.json')[1]) == ['run/epoch_1', 'other/epoch_1']


def test_unreadable_images_are_counted_and_named(run, photos, checkpoints, capsys):
    (photos / '3.png').write_bytes(b'no image')
    run(checkpoints[1], '--images', photos, *FAST, '--out', 'a.png')
    out = capsys.readouterr().out
    assert '9 of 10 images; skipped 1 unreadable images' in out and '3.png' in out


@pytest.mark.parametrize(
    'args, sentence',
    [
        (['--out', 'a.jpg'], '--out a.jpg: must end in .png'),
        (['--names', 'a', 'b'], '--names: got 2 names for 1 checkpoints'),
        (['--num-images', 7], '--num-images must be at least 8'),
        (['--seeds', 0], '--seeds must be at least 1'),
        (['--seed', -1], '--seed must be at least 0'),
        (['--batch-size', 0], '--batch-size must be at least 1'),
        (['--tolerance', 'nan'], '--tolerance nan: must be at least 0'),
        (['--size', 90], '--size 90 is not a multiple of 16, the stride of export'),
        (['--images', 'nowhere'], '--images nowhere: no such folder'),
    ],
)
def test_a_mistake_is_refused_before_any_image_is_read(run, photos, checkpoints, monkeypatch, args, sentence):
    def read(*_):
        raise AssertionError('an image was read')

    monkeypatch.setattr('mmssl_geo.evaluation.images.read_rgb', read)
    with pytest.raises(UserError, match=sentence):
        run(checkpoints[1], '--images', photos, *FAST, *args)


@pytest.mark.parametrize('out', ['photos/0.png/a.png', 'taken.png', 'half.png'])
def test_a_place_that_cannot_be_written_is_refused_at_once(run, tmp_path, photos, checkpoints, out):
    for folder in ('taken.png', 'half.json'):
        (tmp_path / folder).mkdir()
    with pytest.raises(UserError, match='cannot write .*(is a file, not a folder|it is a folder)$'):
        run(checkpoints[1], '--images', photos, *FAST, '--out', out)
    assert not list(tmp_path.glob('*.md')) and not (tmp_path / 'half.png').exists()


def test_two_nets_of_one_name_are_refused(run, photos, checkpoints):
    with pytest.raises(UserError, match='--names: two nets have the same name'):
        run(checkpoints[1], checkpoints[1], '--names', 'A', 'A', '--images', photos, *FAST)


def test_a_measure_without_cells_is_not_available_and_the_others_are(run, tmp_path, photos, checkpoints, capsys):
    run(checkpoints[1], '--images', photos, *FAST, '--tolerance', 50, '--out', 'a.png')
    assert 'n/a: no patch lies more than 50' in capsys.readouterr().out
    (measures,) = nets_of(tmp_path / 'a.json')[1].values()
    assert 'upright_precision' not in measures and 'crop_equivariance_error' in measures
    assert (tmp_path / 'a.md').read_text().count('n/a') == 2


def test_cuda_is_refused_where_there_is_none(run, photos, checkpoints, monkeypatch):
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    with pytest.raises(UserError, match='--device cuda: no GPU is available'):
        run(checkpoints[1], '--images', photos, *FAST, '--device', 'cuda')


def test_an_empty_folder_is_refused(run, tmp_path, checkpoints):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(UserError, match='--images .*empty: 0 images found'):
        run(checkpoints[1], '--images', tmp_path / 'empty', *FAST)


def test_the_command_reports_a_mistake_in_one_sentence(tmp_path):
    done = subprocess.run(
        [sys.executable, str(TOOL), 'nowhere.pth', '--images', str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert done.stderr == 'error: no such checkpoint: nowhere.pth\n'
