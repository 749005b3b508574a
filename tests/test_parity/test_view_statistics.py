"""Comparison of views with a file of statistics."""

import json

import numpy as np
import pytest
from PIL import Image

from mmssl_geo.parity import view_statistics
from mmssl_geo.utils.errors import UserError
from tests.support import ROOT

TOOL = ROOT / 'tools' / 'check_views.py'


@pytest.fixture
def run(run_tool, tmp_path, capsys):
    """Calls the tool's `main` on small photos; returns its exit status and its lines."""
    (tmp_path / 'photos').mkdir()
    for number in range(4):
        coarse = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((80, 60), Image.Resampling.BICUBIC).save(tmp_path / f'photos/{number}.png')

    def run_main(statistics, *args):
        path = tmp_path / 'statistics.json'
        path.write_text(statistics if isinstance(statistics, str) else json.dumps(statistics))
        status = run_tool.main(
            'check_views.py', str(path), '--images', str(tmp_path / 'photos'), '--draws', '4', *map(str, args)
        )
        return status, capsys.readouterr().out.splitlines()

    return run_main


@pytest.fixture
def own(run, monkeypatch):
    """Statistics of our own views in the format of the official file."""
    seen = {}
    monkeypatch.setattr(view_statistics, '_official_mean', lambda official, name: 0.0)
    compare = view_statistics._compare
    monkeypatch.setattr(
        view_statistics,
        '_compare',
        lambda name, values, official: seen.setdefault(name, compare(name, values, official)),
    )
    run({})
    monkeypatch.undo()
    values = {name: statistic.ours for name, statistic in seen.items()}
    tree = {}
    for name, value in values.items():
        if name.startswith('spread'):
            value = (value - values[name.replace('spread_of_view_means', 'normalised_pixel_mean')] ** 2) ** 0.5
        *parents, leaf = name.split('.')
        node = tree
        for part in parents:
            node = node.setdefault(part, {})
        node[leaf] = value
    lists = [key for key in tree if key.endswith('per_channel')]
    return {
        key: {kind: list(of.values()) for kind, of in node.items()} if key in lists else node
        for key, node in tree.items()
    }


def test_own_statistics_hold(run, own):
    status, lines = run(own)
    assert status == 0 and lines[-1] == 'all 32 statistics hold'
    status, lines = run(own, '--where', 'worker')
    assert status == 0, 'the draws are the same, the pixels differ by rounding'


@pytest.mark.parametrize(
    'place',
    [
        ('crop_area_fraction', 'local', 'mean'),
        ('overlap_area_fraction_of_image', 'global_global', 'mean'),
        ('angle_frequency', '90'),
        ('grey_view_fraction', 'global'),
        ('normalised_pixel_std_per_channel', 'local', 2),
        ('spread_of_view_means_per_channel', 'global', 1),
        ('mean_abs_laplacian_of_grey', 'local', 'mean'),
    ],
)
def test_a_difference_is_reported(run, own, place):
    *parents, leaf = place
    node = own
    for part in parents:
        node = node[part]
    node[leaf] = 3 * node[leaf] + 1
    status, lines = run(own)
    assert status == 1 and lines[-1] == '1 of 32 statistics differ'
    assert [line.split()[0] for line in lines if 'DIFFERS' in line] == ['.'.join(map(str, place))]


def test_bad_files_and_options(run, own):
    del own['angle_frequency']
    with pytest.raises(UserError, match="is not a file of view statistics: it lacks 'angle_frequency'"):
        run(own)
    with pytest.raises(UserError, match='statistics.json cannot be read'):
        run('no json')
    with pytest.raises(UserError, match='--draws must be at least 2'):
        run(own, '--draws', 1)
