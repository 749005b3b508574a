"""The numbers of DINO's shipped configs, and what they share with GTSA's."""

import pytest
from mmengine.config import Config

from tests.support import ROOT


def test_the_papers_run():
    """The numbers of the official code, as the config holds them."""
    cfg, gtsa = (Config.fromfile(ROOT / f'configs/{method}_vits16_coco.py') for method in ('dino', 'gtsa'))
    steps = cfg.train_dataloader.dataset.pipeline
    assert list(steps) == ['crop', 'flips', 'photometric', 'pack']
    crop, colours = steps.crop, steps.photometric
    assert (crop.global_size, crop.num_global, tuple(crop.global_scale)) == (224, 2, (0.4, 1.0))
    assert (crop.local_size, crop.num_local, tuple(crop.local_scale)) == (96, 8, (0.05, 0.4))
    assert (crop.interpolation, crop.min_overlap, steps.flips.prob) == ('bicubic', None, 0.5)
    assert (colours.brightness, colours.contrast, colours.saturation, colours.hue) == (0.4, 0.4, 0.2, 0.1)
    assert (colours.jitter_prob, colours.grayscale_prob) == (0.8, 0.2)
    assert (tuple(colours.blur_prob), tuple(colours.solarise_prob)) == ((1.0, 0.1, 0.5), (0.0, 0.2, 0.0))
    assert (cfg.model.neck.num_prototypes, cfg.model.neck.norm_last_layer) == (65536, True)
    own = {name: cfg.default_hooks.pop(name) for name in ('teacher_temperature', 'freeze_last_layer')}
    assert own['freeze_last_layer'].epochs == 1
    assert [own['teacher_temperature'][key] for key in ('start', 'end', 'warmup_epochs')] == [0.04, 0.07, 30]
    for shared in ('default_hooks', 'optim_wrapper', 'train_cfg', 'env_cfg'):
        assert cfg[shared] == gtsa[shared]
    assert cfg.model.backbone == {**gtsa.model.backbone, 'out_type': 'raw'}
    for loader in (cfg.train_dataloader, gtsa.train_dataloader):
        loader.dataset.pop('pipeline')
    assert cfg.train_dataloader == gtsa.train_dataloader


@pytest.mark.parametrize('name', ['vitb16_coco', 'vits16_ade20k', 'quickstart'])
def test_each_config_mirrors_gtsas(name):
    """Same net, images, batch, views' sizes and schedule."""
    dino, gtsa = (Config.fromfile(ROOT / f'configs/{method}_{name}.py') for method in ('dino', 'gtsa'))
    assert dino.model.backbone == {**gtsa.model.backbone, 'out_type': 'raw'}
    for cfg in (dino, gtsa):
        for own in ('teacher_temperature', 'freeze_last_layer'):
            cfg.default_hooks.pop(own, None)
        crop = cfg.train_dataloader.dataset.pop('pipeline').crop
        cfg.sizes = [crop[key] for key in ('global_size', 'num_global', 'local_size', 'num_local')]
    for shared in ('sizes', 'train_dataloader', 'default_hooks', 'optim_wrapper', 'train_cfg'):
        assert dino[shared] == gtsa[shared], shared
