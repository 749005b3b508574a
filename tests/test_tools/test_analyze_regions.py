import json
from functools import partial

import pytest
import torch
from mmpretrain.models import VisionTransformer
from PIL import Image

from mmssl_geo.datasets.regions_file import write_regions
from mmssl_geo.evaluation.regions.measures import REGION_MEASURES
from mmssl_geo.utils.errors import UserError
from tests.support import ROOT
from tests.support.features import noise_image

TOOL = ROOT / 'tools' / 'analyze_regions.py'
FAST = ('--size', 96, '--seeds', 2, '--num-heads', 3)
ARCH = dict(embed_dims=48, num_layers=2, num_heads=3, feedforward_channels=96)
SIDES = (100, 120)


@pytest.fixture
def run(run_tool, monkeypatch, tmp_path):
    """Calls the tool's `main` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return partial(run_tool.main, 'analyze_regions.py')


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / 'photos'
    folder.mkdir()
    for number in range(10):
        Image.fromarray(noise_image(number, *SIDES)).save(folder / f'{number}.png')
    content = dict(
        images=[dict(id=n, file_name=f'{n}.png') for n in range(10)],
        annotations=[
            dict(image_id=n, category_id=label, bbox=[10 + 40 * label, 20, 50, 60])
            for n in range(10)
            for label in (0, 1)
        ],
    )
    (tmp_path / 'a.json').write_text(json.dumps(content))
    write_regions(
        tmp_path / 'a.safetensors',
        [b'%d.png' % n for n in range(10)],
        [SIDES] * 10,
        [1] * 10,
        [[20, 30, 80, 90]] * 10,
        {},
    )
    return folder


@pytest.fixture
def checkpoint(tmp_path):
    generator = torch.Generator().manual_seed(1)
    net = VisionTransformer(ARCH, 64, 16, out_type='featmap')
    weights = {key: torch.randn(value.shape, generator=generator) * 0.3 for key, value in net.state_dict().items()}
    torch.save(dict(state_dict=weights), tmp_path / 'net.pth')
    return tmp_path / 'net.pth'


def content_of(path):
    content = json.loads(path.read_text())
    return content['settings'], {net['name']: net['measures'] for net in content['nets']}


def test_picture_table_and_numbers_of_several_nets(run, tmp_path, photos, checkpoint, capsys):
    run(
        checkpoint,
        checkpoint,
        '--names',
        'a',
        'b',
        '--images',
        photos,
        '--annotations',
        'a.json',
        '--random',
        *FAST,
        '--out',
        'new/r.png',
    )
    out, err = capsys.readouterr()
    assert Image.open(tmp_path / 'new' / 'r.png').width == 1500
    settings, nets = content_of(tmp_path / 'new' / 'r.json')
    assert settings['num_regions'] == settings['num_objects'] == 20 and settings['num_excluded'] == 0
    assert list(nets) == ['a', 'b', 'random weights'] and nets['a'] == nets['b'] != nets['random weights']
    assert all(list(measures) == list(REGION_MEASURES) for measures in nets.values())
    assert (tmp_path / 'new' / 'r.md').read_text() in out and 'n/a' not in out
    assert '10 of 10 images, 20 regions' in out and err.count('50/50') == 3


def test_without_annotations_there_is_no_object_knn(run, tmp_path, photos, checkpoint, capsys):
    run(checkpoint, '--images', photos, '--proposals', 'a.safetensors', *FAST, '--out', 'p.png')
    assert 'object k-NN: n/a, no annotated object' in capsys.readouterr().out
    settings, nets = content_of(tmp_path / 'p.json')
    assert list(nets['net']) == list(REGION_MEASURES)[:3] and settings['num_regions'] == 10
    assert (tmp_path / 'p.md').read_text().splitlines()[2].endswith('| n/a |')
    run(checkpoint, '--images', photos, '--regions', 2, *FAST, '--out', 'g.png')
    assert content_of(tmp_path / 'g.json')[0]['num_grid_fallbacks'] == 10
    assert content_of(tmp_path / 'g.json')[0]['num_regions'] == 20


@pytest.mark.parametrize(
    'args, sentence',
    [
        (['--out', 'a.jpg'], '--out a.jpg: must end in .png'),
        (['--regions', 0], '--regions must be at least 1'),
        (['--k', 0], '--k must be at least 1'),
        (['--min-side', 49], '--min-side 49: must be from 1 to half of --size 96'),
        (['--annotations', 'nowhere.json'], 'the annotation file nowhere.json does not exist'),
        (['--proposals', 'nowhere'], 'the proposals file nowhere does not exist'),
        (['--size', 90], '--size 90 is not a multiple of 16, the stride of net'),
    ],
)
def test_a_mistake_is_refused_before_any_image_is_read(run, photos, checkpoint, monkeypatch, args, sentence):
    def read(*_):
        raise AssertionError('an image was read')

    monkeypatch.setattr('mmssl_geo.evaluation.images.read_rgb', read)
    with pytest.raises(UserError, match=sentence):
        run(checkpoint, '--images', photos, *FAST, *args)
