import json
from functools import partial

import pytest
import torch
from mmpretrain.models import VisionTransformer

from mmssl_geo.utils.errors import UserError
from tests.support import ROOT
from tests.support.labelled_images import write_classes, write_label_maps, write_objects

TOOL = ROOT / 'tools' / 'probe.py'
FAST = ('--size', 32, '--num-heads', 3)
ARCH = dict(embed_dims=48, num_layers=2, num_heads=3, feedforward_channels=96)


@pytest.fixture
def run(run_tool, monkeypatch, tmp_path):
    """Calls the tool's `main` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return partial(run_tool.main, 'probe.py')


@pytest.fixture
def checkpoint(tmp_path):
    generator = torch.Generator().manual_seed(1)
    net = VisionTransformer(ARCH, 64, 16, out_type='featmap')
    weights = {key: torch.randn(value.shape, generator=generator) * 0.3 for key, value in net.state_dict().items()}
    torch.save(dict(state_dict=weights), tmp_path / 'net.pth')
    return tmp_path / 'net.pth'


@pytest.fixture
def classes(tmp_path):
    return '--train', write_classes(tmp_path / 'train', 4), '--val', write_classes(tmp_path / 'val', 2, seed=1)


def test_one_net_gives_one_flat_json(run, tmp_path, checkpoint, classes, capsys):
    run(checkpoint, '--probe', 'knn', *classes, *FAST, '--k', 1, 5, '--out', 'new/a.json')
    values = json.loads((tmp_path / 'new' / 'a.json').read_text())
    assert list(values) == ['top1_k1', 'top1_k1_chance', 'top1_k5', 'top1_k5_chance']
    assert values['top1_k1'] > 60 and values['top1_k1_chance'] == pytest.approx(100 / 3)
    out, err = capsys.readouterr()
    assert f'| net | {values["top1_k1"]:.1f} (33.3) |' in out and '±' not in out and '18/18' in err
    assert 'knn: 12 of 12 training images, 6 validation images' in out


def test_several_nets_and_seeds(run, tmp_path, checkpoint, classes, capsys):
    run(
        checkpoint,
        checkpoint,
        '--names',
        'a/x',
        'b',
        '--random',
        '--probe',
        'linear',
        *classes,
        *FAST,
        '--seeds',
        2,
        '--num-train',
        6,
        '--pool',
        'cls',
    )
    a, b, chance = (
        json.loads((tmp_path / 'work_dirs' / f'probe_{name}.json').read_text())
        for name in ('a_x', 'b', 'random_weights')
    )
    assert a == b and list(a) == list(chance) == ['top1', 'top1_chance', 'top1_std']
    run(
        checkpoint,
        '--probe',
        'linear',
        *classes,
        *FAST,
        '--seed',
        1,
        '--num-train',
        6,
        '--pool',
        'cls',
        '--out',
        'one.json',
    )
    second = json.loads((tmp_path / 'one.json').read_text())['top1']
    assert a['top1_std'] == pytest.approx(2**0.5 * abs(a['top1'] - second))  # of two values around their mean
    assert 'Mean ± sample standard deviation over 2 seeds' in capsys.readouterr().out


def test_objects_and_segmentation(run, tmp_path, checkpoint):
    sources = [[*write_objects(tmp_path / part, 3, seed)] for seed, part in enumerate('ab')]
    run(
        checkpoint,
        '--probe',
        'object-knn',
        '--train',
        *sources[0],
        '--val',
        *sources[1],
        *FAST,
        '--min-side',
        4,
        '--out',
        'o.json',
    )
    values = json.loads((tmp_path / 'o.json').read_text())
    assert values['objects_evaluated'] == 100 and values['object_top1_k10_chance'] == pytest.approx(100 / 3)
    sources = [[*write_label_maps(tmp_path / part, 3, seed)] for seed, part in enumerate('cd')]
    run(
        checkpoint,
        '--probe',
        'segmentation',
        '--train',
        *sources[0],
        '--val',
        *sources[1],
        *FAST,
        '--classes',
        3,
        '--out',
        's.json',
    )
    assert set(json.loads((tmp_path / 's.json').read_text())) == {
        f'{name}{kind}' for name in ('mIoU', 'mAcc', 'aAcc') for kind in ('', '_chance')
    }


@pytest.mark.parametrize(
    'args, sentence',
    [
        (['--out', 'a.png'], '--out a.png: must end in .json'),
        (['--seeds', 0], '--seeds must be at least 1'),
        (['--classes', 3], '--classes is an option of --probe segmentation, not of knn'),
        (['--min-side', 3], '--min-side is an option of --probe object-knn, not of knn'),
        (['--k', 5, 0], '--k must be at least 1'),
        (['--num-train', 1], '--num-train must be at least 2'),
        (['--train', 'a', 'b'], '--train: --probe knn needs 1 paths, got 2'),
        (['--probe', 'segmentation'], '--probe segmentation needs --classes'),
        (['--probe', 'object-knn'], '--train: --probe object-knn needs 2 paths, got 1'),
        (['--val', 'nowhere'], 'no such image folder: nowhere'),
        (['--size', 40], '--size 40 is not a multiple of 16, the stride of net'),
        (['--names', 'a', 'b'], '--names: got 2 names for 1 checkpoints'),
    ],
)
def test_a_mistake_is_refused_before_any_image_is_read(run, checkpoint, classes, monkeypatch, args, sentence):
    def read(*_):
        raise AssertionError('an image was read')

    monkeypatch.setattr('mmssl_geo.evaluation.probes.datasets.read_rgb', read)
    with pytest.raises(UserError, match=sentence):
        run(checkpoint, '--probe', 'knn', *classes, *FAST, *args)
