"""Small configs and batches of views for several tests."""

import random
from pathlib import Path

import torch
from mmengine.config import Config

from mmssl_geo.geometry import CropGroup, sample_crops
from mmssl_geo.structures import ViewBatch
from tests.support import ROOT

TINY = {
    'model.backbone.img_size': 64,
    'model.backbone.drop_path_rate': 0.0,
    'model.neck.out_channels': 16,
    'model.head.predictor.out_channels': 16,
    'model.head.rotation_head.hidden_channels': [16, 16, 8],
}
TINY_DINO = {
    'model.backbone.img_size': 64,
    'model.backbone.drop_path_rate': 0.0,
    'model.neck.hidden_channels': 32,
    'model.neck.bottleneck_channels': 16,
    'model.neck.num_prototypes': 24,
}


def tiny_settings(path):
    """`TINY` or `TINY_DINO`, whichever fits the config."""
    return TINY_DINO if Path(path).name.startswith('dino') else TINY


def tiny_config(path='configs/gtsa_vits16_coco.py', **overrides):
    """A shipped pretraining config with a net of one or two blocks."""
    cfg = Config.fromfile(ROOT / path)
    cfg.model.backbone.pop('arch')
    cfg.model.backbone.arch = dict(embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48)
    cfg.merge_from_dict({**tiny_settings(path), **overrides})
    return cfg


def random_views(batch_size=2, num_global=2, num_local=2, global_size=64, local_size=32, seed=0, dtype=torch.float32):
    """A `ViewBatch` of noise with crop boxes from the sampler."""
    generator = torch.Generator().manual_seed(seed)
    groups, rng = (CropGroup(num_global, (0.3, 1.0)), CropGroup(num_local, (0.1, 0.3))), random.Random(seed)
    boxes = torch.tensor([sample_crops((120, 160), *groups, rng) for _ in range(batch_size)])
    return ViewBatch(
        global_images=torch.randn(
            num_global * batch_size, 3, global_size, global_size, generator=generator, dtype=dtype
        ),
        local_images=torch.randn(num_local * batch_size, 3, local_size, local_size, generator=generator, dtype=dtype),
        num_global=num_global,
        crop_boxes_src=boxes.to(dtype),
        turns=torch.randint(4, (batch_size, num_global + num_local), generator=generator),
        flipped=torch.zeros(batch_size, num_global + num_local, dtype=torch.bool),
    )
