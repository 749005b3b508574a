"""A suite of one segmentation task with stub tools: jobs take a moment, everything around them is real."""

import json
import shutil
import textwrap
from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import DefaultScope

from mmssl_geo.benchmark import runner
from mmssl_geo.benchmark.plan.jobs import DataRoots, Plan, choose_inits, choose_tasks
from mmssl_geo.benchmark.plan.suite import load_suite
from mmssl_geo.benchmark.run.workers import make_workers
from mmssl_geo.registry import MODELS
from tests.support.tiny_data.camvid import write_camvid

ARCH = dict(embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48)
CONFIG = f"""
_base_ = []
import os
default_scope = 'mmseg'
custom_imports = dict(imports=['mmssl_geo.registry'], allow_failed_imports=False)
model = dict(
    backbone=dict(
        type='mmssl_geo.SSLVisionTransformer', arch={ARCH}, img_size=64, patch_size=16, out_type='featmap',
        init_cfg=dict(type='Pretrained', checkpoint=os.environ.get('CHECKPOINT'))),
    decode_head=dict(num_classes=11))
camvid = dict(
    type='BaseSegDataset', data_root='{{{{$DATA_ROOT:data/camvid}}}}', img_suffix='.jpg',
    metainfo=dict(classes=[str(number) for number in range(11)]))
train_dataloader = dict(
    batch_size=4, dataset=dict(data_prefix=dict(img_path='images/train', seg_map_path='labels/train'), **camvid))
test_dataloader = dict(dataset=dict(data_prefix=dict(img_path='images/test', seg_map_path='labels/test'), **camvid))
optim_wrapper = dict(optimizer=dict(lr=1.))
"""
SUITE = """
data = dict(camvid=dict(layout='CamVid'))
protocols = dict(segment=dict(
    config={config!r}, data='camvid', target='mmseg', metrics={{'mIoU': 'mIoU'}}, scale=10, hours=2, disk_gb=0.5))
tasks = ['segment']
recipes = dict(ours=dict(config={recipe!r}, data='camvid', hours=5, disk_gb=1))
seeds = 2
baselines = ['scratch', 'ours']
"""
RECIPE = f"""
model = dict(backbone=dict(
    type='mmssl_geo.SSLVisionTransformer', arch={ARCH}, img_size=64, patch_size=16))
train_dataloader = dict(dataset=dict(type='mmssl_geo.ImageListDataset', data_root='', pipeline=dict()))
"""
# a training of four iterations, each with a checkpoint; lines of `script` make it fail or wait
TRAIN = """
    import os, shutil, sys, time
    from pathlib import Path
    here, config = Path(__file__).parent, Path(sys.argv[1])
    work_dir = Path(sys.argv[sys.argv.index('--work-dir') + 1])
    work_dir.mkdir(parents=True, exist_ok=True)
    (work_dir / 'pid').write_text(str(os.getpid()))
    begin = int(Path(sys.argv[-1]).stem[-1]) if '--resume' in sys.argv else 0
    print('train from', begin)
    for step in range(begin + 1, 5):
        shutil.copy(here / 'checkpoint.pth', work_dir / f'iter_{step}.pth')
        (work_dir / 'last_checkpoint').write_text(f'/elsewhere/iter_{step}.pth')
        print(f'Iter(train) [ {step}/4]  lr: 1e-4  eta: 0:00:0{4 - step}  loss: 1.5', flush=True)
        for line in (here / 'script').read_text().splitlines():
            what, when, where = line.split()
            if int(when) == step and where in str(config):
                if what == 'fail':
                    sys.exit('error: out of memory')
                time.sleep(900)
"""
TEST = """
    import json, sys
    from pathlib import Path
    text, out = Path(sys.argv[1]).read_text(), Path(sys.argv[sys.argv.index('--out') + 1])
    assert Path(sys.argv[2]).name == 'iter_4.pth', sys.argv[2]
    seed = int(text.split("'seed': ")[1].split('}')[0])
    out.write_text(json.dumps(dict(mIoU=seed + (5 if '_mmseg.pth' in text else 2), mAcc=0.)))
"""
PROBE = """
    import json, sys
    from pathlib import Path
    out, text = Path(sys.argv[sys.argv.index('--out') + 1]), ' '.join(sys.argv)
    assert '--names given' in text and '--seeds 1' in text and Path(sys.argv[1]).is_file()
    seed = int(sys.argv[sys.argv.index('--seed') + 1])
    names = ['given', 'random'] if '--random' in text else ['given']
    for name, value in zip(names, (60. + seed, 30. + seed)):
        path = out.with_name(f'{out.stem}_{name}.json') if len(names) > 1 else out
        path.write_text(json.dumps({'knn': value}))
"""
CONVERT = """
    import shutil, sys
    shutil.copy(sys.argv[1], sys.argv[2])
    with open(__file__ + '.calls', 'a') as file:
        file.write(' '.join(sys.argv[1:]) + '\\n')
"""


def backbone_state(**changes):
    with DefaultScope.overwrite_default_scope('mmssl_geo'):
        backbone = MODELS.build(
            dict(type='mmssl_geo.SSLVisionTransformer', arch={**ARCH, **changes}, img_size=64, patch_size=16)
        )
    return backbone.state_dict()


def results(world):
    """Folder -> what its `result.json` holds."""
    return {
        str(path.parent.relative_to(world.out)): json.loads(path.read_text())
        for path in sorted(world.out.rglob('result.json'))
    }


@pytest.fixture(scope='session')
def camvid(tmp_path_factory):
    return write_camvid(tmp_path_factory.mktemp('camvid'))


@pytest.fixture(scope='session')
def weights(tmp_path_factory):
    """A resumable checkpoint with a backbone that fits."""
    path = tmp_path_factory.mktemp('weights') / 'net.pth'
    torch.save(dict(state_dict=backbone_state(), optimizer={}), path)
    return path


@pytest.fixture
def world(tmp_path, camvid, weights, monkeypatch):
    """Stub tools and the small suite.

    Attributes: `root` (folder of the tools), `suite` and `config` (paths), `out`, `script(text)` (failures and
    waits of the trainings), `plan(...)`, `run(...)` and `dry_run(...)` with the options of a plan.
    """
    root = tmp_path / 'stubs'
    (root / 'tools').mkdir(parents=True)
    for name, text in (('train', TRAIN), ('test', TEST), ('convert_checkpoint', CONVERT), ('probe', PROBE)):
        (root / 'tools' / f'{name}.py').write_text(textwrap.dedent(text))
    shutil.copy(weights, root / 'tools' / 'checkpoint.pth')
    for module in ('mmssl_geo.utils.subprocesses', 'mmssl_geo.benchmark.run.workers'):
        monkeypatch.setattr(f'{module}.resource_root', lambda: root)
    monkeypatch.setattr(runner, 'describe_environment', lambda: dict(cores=2))
    config, recipe, suite = (tmp_path / name for name in ('config.py', 'recipe.py', 'small.py'))
    config.write_text(CONFIG)
    recipe.write_text(RECIPE)
    suite.write_text(SUITE.format(config=str(config), recipe=str(recipe)))

    def script(text=''):
        (root / 'tools' / 'script').write_text(text)

    def plan(checkpoints=(), names=(), baselines=None, seeds=2, data=camvid, **options):
        loaded = load_suite(suite)
        roots = DataRoots(loaded.data, dict(camvid=data) if data else {}, tmp_path / 'out' / 'data')
        return Plan(
            loaded,
            choose_tasks(loaded),
            choose_inits(loaded, checkpoints, names, baselines),
            seeds,
            tmp_path / 'out',
            roots,
            **options,
        )

    def run(*args, **options):
        return runner.run(plan(*args, **options), make_workers(jobs=2))

    def dry_run(*args, **options):
        return runner.dry_run(plan(*args, **options), make_workers(jobs=2))

    script()
    return SimpleNamespace(
        root=root, suite=suite, config=config, out=tmp_path / 'out', script=script, plan=plan, run=run, dry_run=dry_run
    )
