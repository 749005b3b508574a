"""The benchmark of views: what it prints, on tiny views and a stand-in for the official checkout."""

import json

import numpy as np
import pytest
from PIL import Image

from mmssl_geo.utils.errors import UserError
from tests.support import ROOT

TOOL = ROOT / 'tools/speed/views.py'
STAND_IN = """
import time
class GTSATransforms:
    def __init__(self, sizes, numbers, smallest, largest):
        assert (sizes, numbers) == ([64, 32], [2, 4]) and smallest == [0.3, 0.1] and largest == [1.0, 0.3]
    def __call__(self, image):
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass
        return [], {}
"""


@pytest.fixture
def run(run_tool, monkeypatch, tmp_path, capsys):
    """Calls the tool's `main` on two photos; returns its last line, read."""
    monkeypatch.syspath_prepend(TOOL.parent)
    (tmp_path / 'photos').mkdir()
    for number in range(2):
        noise = np.random.default_rng(number).integers(0, 256, (60, 80, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f'photos/{number}.jpg')

    def run_main(*args, config='configs/gtsa_quickstart.py', images=tmp_path / 'photos'):
        run_tool.main('speed/views.py', str(ROOT / config), '--images', str(images), '--rounds', '2', *map(str, args))
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    return run_main


def test_without_a_reference(run, tmp_path):
    result = run('--out', tmp_path / 'out/result.json')
    assert result['ratio_device'] is None and result['ratio_cpu'] is None
    assert result['loader_images_per_s'] == {}
    times = result['ms_per_image']
    assert len(times) == 4 and min(times.values()) > 0
    assert result['ratio_floor'] == pytest.approx(
        times['ours, photometric augmentation on the device'] / times['floor']
    )
    assert json.loads((tmp_path / 'out/result.json').read_text()) == result


def test_ratios_to_the_reference_and_the_loader(run, tmp_path):
    (tmp_path / 'official/util').mkdir(parents=True)
    (tmp_path / 'official/util/gtsa_transforms.py').write_text(STAND_IN)
    crops = [
        f'train_dataloader.dataset.pipeline.crop.{key}={value}'
        for key, value in (('global_size', 64), ('local_size', 32), ('num_local', 4))
    ]
    result = run(
        '--reference',
        tmp_path / 'official',
        '--workers',
        1,
        '--batch-size',
        2,
        '--cfg-options',
        *crops,
        config='configs/gtsa_vits16_coco.py',
    )
    assert result['num_images'] == 2 and result['workers'] == 1
    times = result['ms_per_image']
    assert times['official'] >= 50
    assert result['ratio_cpu'] == pytest.approx(times['official'] / times['ours, all on the CPU'])
    assert result['ratio_device'] == pytest.approx(
        times['official'] / times['ours, photometric augmentation on the device']
    )
    rates = result['loader_images_per_s']
    assert set(rates) == {'device', 'worker', 'official'} and rates['official'] <= 20 < rates['device']


@pytest.mark.parametrize('config', ['dino_vits16_coco.py', 'gtsa_vits16_small-data.py'])
def test_other_views_are_not_compared(run, tmp_path, config):
    (tmp_path / 'official/util').mkdir(parents=True)
    (tmp_path / 'official/util/gtsa_transforms.py').write_text(STAND_IN)
    with pytest.raises(UserError, match='differs from configs/gtsa_vits16_coco.py, which is what the official'):
        run('--reference', tmp_path / 'official', config=f'configs/{config}')


def test_an_unreadable_image_is_named(run, tmp_path):
    (tmp_path / 'photos/1.jpg').write_bytes((tmp_path / 'photos/1.jpg').read_bytes()[:700])
    with pytest.raises(UserError, match=r'photos/1.jpg: .*remove it or lower --num-images'):
        run()


def test_the_cpu_stage_ends_with_normalised_views(run, monkeypatch):
    from mmssl_geo.models import MultiViewDataPreprocessor

    seen, forward = [], MultiViewDataPreprocessor.forward

    def spy(self, data, training=False):
        seen.append(forward(self, data, training)['views'].global_images)
        return dict(views=seen[-1])

    monkeypatch.setattr(MultiViewDataPreprocessor, 'forward', spy)
    run()
    assert len(seen) == 6 and all(views.is_floating_point() and views.min() < -0.5 for views in seen)


@pytest.mark.parametrize(
    'settings, sentence',
    [
        (dict(args=['--rounds', 0]), '--rounds 0: must be at least 1'),
        (dict(args=['--reference', 'nowhere']), 'util/gtsa_transforms.py is missing'),
        (dict(images='nowhere'), '--images nowhere: the folder does not exist'),
        (dict(config='configs/d3ssl_quickstart.py'), 'no step "crop" or "photometric"'),
        (
            dict(args=['--cfg-options', 'train_dataloader.dataset.pipeline.crop.nonsense=3']),
            'cannot be built: .*nonsense',
        ),
        (dict(args=['--out', ROOT / 'docs']), 'docs is a folder: name a file in it'),
    ],
)
def test_a_mistake_is_refused(run, settings, sentence):
    with pytest.raises(UserError, match=sentence):
        run(*settings.pop('args', ()), **settings)
