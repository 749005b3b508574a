"""The benchmarks with `--reference`, on tiny views and a stand-in for the official checkout."""

import importlib
import json
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

from mmssl_geo.utils.errors import UserError
from tests.support import ROOT
from tests.support.official_stand_in import FILES, write_checkout
from tests.support.tools import run_process

BENCHMARKS = ROOT / 'tools' / 'speed'
CONFIG = ROOT / 'configs' / 'gtsa_vits16_coco.py'
SMALL = [
    '--device',
    'cpu',
    '--amp-dtype',
    'float32',
    '--cfg-options',
    'train_dataloader.num_workers=0',
    *(
        f'train_dataloader.dataset.pipeline.crop.{key}={value}'
        for key, value in (('global_size', 64), ('local_size', 32), ('num_local', 2))
    ),
]


@pytest.fixture
def load(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module


@pytest.fixture
def checkout(tmp_path):
    return write_checkout(tmp_path / 'official')


def run(name, *args):
    done = run_process(f'speed/{name}.py', *args)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stdout


def test_the_stages_of_the_official_step(checkout):
    result, out = run('step', CONFIG, '--batch-size', 2, '--iters', 2, '--warmup', 1, '--reference', checkout, *SMALL)
    official = result['official']
    assert official['stages_ms'].pop('preprocess') == 0 and min(official['stages_ms'].values()) > 0
    assert sum(official['stages_ms'].values()) == pytest.approx(official['step_ms'])
    assert result['ratio_official'] == pytest.approx(official['step_ms'] / result['step_ms'])
    assert any(line.split()[:2] == ['student', 'forward'] and len(line.split()) == 6 for line in out.splitlines())


def test_the_official_code_end_to_end(checkout):
    result, out = run('end_to_end', CONFIG, '--batch-size', 2, '--iters', 1, '--reference', checkout, *SMALL)
    official = result['official_images_per_s']
    assert result['official_share'] == pytest.approx(official['loader'] / official['ready'])
    assert result['ratio_official'] == pytest.approx(result['images_per_s']['loader'] / official['loader'])
    assert 'official:' in out and 'ours:' in out


@pytest.mark.slow
def test_lines_and_processes_of_the_official_code(checkout, tmp_path):
    result, _ = run(
        'scaling',
        '--images',
        1,
        2,
        '--crops',
        1,
        2,
        '--batch-size',
        1,
        '--processes',
        1,
        2,
        '--rounds',
        1,
        '--device',
        'cpu',
        '--reference',
        checkout,
        '--out',
        tmp_path / 'lines.png',
    )
    for name in ('images', 'local views'):
        assert set(result[name]) == {'ours', 'official'} and set(result[name]['official']['seconds']) == {'1', '2'}
    assert all(rates['official'] > 0 for rates in result['processes'].values())


def test_a_step_leaves_the_batch_as_it_was(load):
    """The official losses write into the angles; a reused batch must keep its values."""
    modules = {}
    for name, text in FILES.items():
        exec(text, modules.setdefault(name, {}))  # noqa: S102
    reference = SimpleNamespace(
        gtsa=SimpleNamespace(gtsa_small=modules['model_pretrain/gtsa.py']['gtsa_small']),
        misc=SimpleNamespace(clip_gradients=modules['util/misc.py']['clip_gradients']),
        lr_sched=SimpleNamespace(get_params_groups=modules['util/lr_sched.py']['get_params_groups']),
    )
    official, views = load('official'), load('ready_batches').random_views(3, num_local=2, sizes=(32, 16))
    training = official.OfficialTraining(reference, 2, 'cpu', torch.float32)
    batch = official.official_batch(views)
    before = {name: value.clone() for name, value in training.model.state_dict().items()}
    training.step(batch)
    assert [angles.tolist() for angles in batch[1]['angles']] == (90 * views.turns.t()).tolist()
    assert {name for name, value in training.model.state_dict().items() if not torch.equal(value, before[name])} == {
        'net.weight',
        'net.bias',
        'teacher.weight',
        'rotation.weight',
        'rotation.bias',
    }


def test_the_official_batch_is_made_on_the_device(load):
    views = load('ready_batches').random_views(2, num_local=2, sizes=(32, 16), device='meta')
    images, boxes = load('official').official_batch(views)
    assert {tensor.device.type for tensor in (*images, boxes['gc'], boxes['all'], *boxes['angles'])} == {'meta'}


@pytest.mark.parametrize(
    'change',
    [
        {'model.backbone.arch': 'deit-tiny'},
        {'model.backbone.patch_size': 8},
        {'model.type': 'mmssl_geo.DINO'},
        {'train_dataloader.dataset.pipeline.crop.num_global': 3},
        {'train_dataloader.dataset.pipeline.crop.num_local': 0},
        {'train_dataloader.dataset.pipeline.crop.min_overlap': None},
        {'model.backbone.drop_path_rate': 0.0},
        {'model.neck.out_channels': 256},
        {'train_dataloader.dataset.pipeline.photometric.hue': 0.1},
    ],
)
def test_a_config_without_counterpart_is_refused(load, change):
    cfg = Config.fromfile(CONFIG)
    pipeline = 'train_dataloader.dataset.pipeline'
    cfg.merge_from_dict(
        {'model.backbone.with_cp': True, f'{pipeline}.photometric.where': 'worker', f'{pipeline}.crop.local_size': 64}
    )
    load('official').check_same_net(cfg)
    cfg.merge_from_dict(change)
    key = next(iter(change)).replace('train_dataloader.dataset.', '')
    with pytest.raises(UserError, match=f'differs from configs/gtsa_vits16_coco.py, .* in .*{key}'):
        load('official').check_same_net(cfg)


def test_another_net_cannot_be_scaled_beside_the_official_one(load, monkeypatch):
    monkeypatch.setattr('sys.argv', ['scaling.py', '--reference', 'anywhere', '--arch', 'deit-tiny'])
    with pytest.raises(UserError, match='--reference with --arch deit-tiny: the official code trains deit-small'):
        load('scaling').main()
