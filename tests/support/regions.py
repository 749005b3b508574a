"""Small D3SSL models and batches of regions for several tests."""

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmssl_geo.apis.config import load_config
from mmssl_geo.registry import MODELS
from mmssl_geo.structures import RegionBatch
from tests.support import ROOT

TINY_RESNET = dict(type='mmssl_geo.SSLResNet', depth=18, stem_channels=8, base_channels=8)
TINY_VIT = dict(
    type='mmssl_geo.SSLVisionTransformer',
    img_size=64,
    patch_size=16,
    out_type='featmap',
    final_norm=True,
    arch=dict(embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48),
)
SIDES = dict(x1=64, x2=64, x1_cut=64, x2_small=32, x3=64)


def d3ssl_config(backbone=None, **options):
    """Config of a D3SSL model that takes milliseconds per step on a CPU core."""
    mlp = dict(type='mmssl_geo.RegionProjector', hidden_channels=32, out_channels=16)
    return dict(
        type='mmssl_geo.D3SSL',
        backbone=backbone or TINY_RESNET,
        neck=mlp,
        head=dict(type='mmssl_geo.D3SSLHead', predictor=mlp, loss=dict(type='mmssl_geo.RegionSimilarityLoss')),
        **options,
    )


def random_regions(batch_size=2, num_regions=3, names=tuple(SIDES), seed=0):
    """A `RegionBatch` of noise; every view has its own boxes, at least 8 px wide."""
    generator = torch.Generator().manual_seed(seed)
    images, regions = {}, {}
    for name in names:
        side = SIDES[name]
        images[name] = torch.randn(batch_size, 3, side, side, generator=generator)
        corners = torch.rand(batch_size, num_regions, 4, generator=generator)
        first = corners[..., :2] * side / 2
        regions[name] = torch.cat([first, first + side / 4 * (1 + corners[..., 2:])], dim=-1)
    return RegionBatch(images, regions, True if 'x3' in names else None, torch.tensor(0.25), {})


def write_noise(folder):
    """Writes six small images of noise; returns the folder."""
    rng = np.random.default_rng(0)
    for index in range(6):
        Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)).save(folder / f'{index}.png')
    return folder


def make_runs_start_quickly(monkeypatch):
    """Skips what takes most of the time of a tiny run."""
    monkeypatch.setattr(Runner, '_log_env', lambda *_: None)  # starts compilers to query their versions
    monkeypatch.setattr(Config, 'pretty_text', property(repr))  # formatted three times per run


def tiny_run(name, photos, work_dir, **options):
    """A shipped config with a net of one or two blocks, on 64 px views of a few photos."""
    cfg = load_config(
        ROOT / f'configs/{name}.py',
        {
            'train_dataloader.dataset.data_prefix': '',
            'train_dataloader.dataset.data_root': str(photos),
            'train_dataloader.dataset.ann_file': None,
            'model.neck.hidden_channels': 32,
            'model.neck.out_channels': 16,
            'model.head.predictor.hidden_channels': 32,
            'model.head.predictor.out_channels': 16,
            **options,
        },
        work_dir=str(work_dir),
    )
    if cfg.model.backbone.type == 'mmssl_geo.SSLResNet':
        cfg.model.backbone.update(stem_channels=8, base_channels=8)
    else:
        cfg.model.backbone.update(
            arch=dict(embed_dims=24, num_layers=1, num_heads=2, feedforward_channels=48), img_size=64, patch_size=16
        )
    pipeline = cfg.train_dataloader.dataset.pipeline
    pipeline.regions = dict(type='mmssl_geo.GridRegions')  # instead of a file of proposals
    pipeline.views.size, pipeline.x2_small.size = 64, 32
    cfg.train_dataloader.update(batch_size=3, num_workers=0, persistent_workers=False)
    cfg.train_cfg.max_epochs = 1
    cfg.visualizer = dict(type='Visualizer')
    cfg.experiment_name = f'{work_dir.name}_{name}'
    return cfg


def build_d3ssl(backbone=TINY_RESNET, **options):
    """A model of `d3ssl_config` in training mode, whose blocks pass gradients."""
    model = MODELS.build(d3ssl_config(backbone, **options))
    model.init_weights()
    for module in model.backbone.modules():  # zero-initialised norms would stop all gradients
        if isinstance(module, _BatchNorm):
            nn.init.ones_(module.weight)
    model.teacher.copy_from(model.backbone, model.neck)
    return model.train()
