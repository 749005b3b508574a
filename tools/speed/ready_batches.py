"""Batches without a data loader: views of random noise with sampled crop boxes."""

import random

import torch

from mmssl_geo.geometry import CropGroup, sample_crops
from mmssl_geo.structures import ViewBatch

GLOBAL, LOCAL = CropGroup(2, (0.3, 1.0)), (0.1, 0.3)


def random_views(
    batch_size: int,
    num_local: int = 8,
    sizes: tuple[int, int] = (224, 96),
    device: torch.device | str = 'cpu',
    seed: int = 0,
) -> ViewBatch:
    """Generates a `ViewBatch` with 2 global and `num_local` local views per image.

    Args:
        batch_size: Number of images.
        num_local: Number of local views per image.
        sizes: Side lengths of the global and the local views, in pixels.
        device: Device of the tensors.
        seed: Seed of the noise, the crops and the turns.
    """
    generator = torch.Generator().manual_seed(seed)
    groups, rng = (GLOBAL, CropGroup(num_local, LOCAL)), random.Random(seed)
    boxes = torch.tensor([sample_crops((480, 640), *groups, rng) for _ in range(batch_size)], dtype=torch.float32)
    turns = torch.randint(4, (batch_size, 2 + num_local), generator=generator)
    images = [
        torch.randn(count * batch_size, 3, side, side, generator=generator).to(device)
        for count, side in zip((2, num_local), sizes, strict=True)
    ]
    return ViewBatch(
        global_images=images[0],
        local_images=images[1],
        num_global=2,
        crop_boxes_src=boxes.to(device),
        turns=turns.to(device),
        flipped=torch.zeros_like(turns, dtype=torch.bool),
    )
