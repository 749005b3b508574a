import importlib
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from PIL import Image

from mmssl_geo.utils.errors import UserError
from tests.support import ROOT

TOOL = ROOT / 'tools' / 'browse_views.py'
CONFIG = ROOT / 'configs' / 'gtsa_quickstart.py'


@pytest.fixture
def run(run_tool, monkeypatch, tmp_path):
    """Calls the tool's `main` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return partial(run_tool.main, 'browse_views.py')


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / 'photos'
    folder.mkdir()
    for number, size in enumerate([(60, 40), (40, 90), (50, 50)]):
        noise = np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f'{number}.png')
    return folder


def test_writes_one_picture_an_image(run, tmp_path, photos, capsys):
    run(CONFIG, '--images', photos, '--index', 1, 2, '--query', 1)
    pictures = sorted((tmp_path / 'work_dirs').iterdir())
    assert [picture.name for picture in pictures] == ['views_1.png', 'views_2.png']
    assert all(Image.open(picture).width == 1500 for picture in pictures)
    assert capsys.readouterr().out.count('6 views of') == 2


def test_flipped_views_are_drawn_and_named(run, tmp_path, photos, monkeypatch):
    view_figure = importlib.import_module('mmssl_geo.visualization.view_figure')  # the package exports a function
    titles = []
    drawn = view_figure._draw_view
    monkeypatch.setattr(
        view_figure,
        '_draw_view',
        lambda figure, *args: (drawn(figure, *args), titles.append(figure.texts[-1].get_text())),
    )
    run(ROOT / 'configs' / 'dino_quickstart.py', '--images', photos, '--out', 'a.png')
    assert (tmp_path / 'a.png').is_file() and len(titles) == 6
    assert 0 < sum('flipped' in title for title in titles) < 6 and all('0°' in title for title in titles)


def test_epoch_and_options_reach_the_pipeline(run, tmp_path, photos):
    for name, args in (
        ('a', ()),
        ('b', ('--epoch', 0)),
        ('c', ('--epoch', 1)),
        ('d', ('--cfg-options', 'train_dataloader.dataset.seed=5')),
    ):
        run(CONFIG, '--images', photos, '--out', f'{name}.png', *args)
    views = {name: np.asarray(Image.open(tmp_path / f'{name}.png'))[60:, 650:] for name in 'abcd'}
    assert np.array_equal(views['a'], views['b'])
    assert not np.array_equal(views['a'], views['c']) and not np.array_equal(views['a'], views['d'])


def test_takes_a_single_file(run, tmp_path, photos, capsys):
    run(CONFIG, '--images', photos / '2.png', '--out', 'a.png')
    assert (tmp_path / 'a.png').is_file() and str(photos / '2.png') in capsys.readouterr().out


def test_an_unreadable_image_is_named(run, photos, capsys):
    (photos / '0.png').write_bytes(b'no image')
    run(CONFIG, '--images', photos, '--out', 'a.png')
    out = capsys.readouterr().out
    assert 'image 0 cannot be read' in out and f'views of {photos / "1.png"}' in out


@pytest.mark.parametrize(
    'args, sentence',
    [
        (['--index', 3], '--index 3: must be from 0 to 2'),
        (['--index', -1], '--index -1: must be from 0 to 2'),
        (['--query', 2], '--query 2: must be a global view, 0 to 1'),
        (['--epoch', -1], '--epoch -1: must be at least 0'),
        (['--out', 'a.jpg'], 'must end in .png'),
        (['--index', 0, 1, '--out', 'a.png'], r'write \{index\} into the name'),
        (['--cfg-options', 'train_dataloader.dataset.pipeline=[]'], 'makes no views'),
    ],
)
def test_a_mistake_is_refused(run, photos, args, sentence):
    with pytest.raises(UserError, match=sentence):
        run(CONFIG, '--images', photos, *args)


def test_the_command_reports_a_mistake_in_one_sentence(tmp_path):
    done = subprocess.run(
        [sys.executable, str(TOOL), str(CONFIG), '--images', 'nowhere'], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert done.stderr == 'error: --images nowhere: no such file or folder\n'
