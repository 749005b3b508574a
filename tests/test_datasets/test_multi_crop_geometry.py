"""Coordinate images through the real pipeline, preprocessor and pairing: both sides must show the same place."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import default_collate

from mmssl_geo.datasets import MultiCrop, PackViews, RandomQuarterTurns
from mmssl_geo.geometry import pool_boxes, rotate_maps
from mmssl_geo.models import GTSAHead, MultiViewDataPreprocessor


def coordinate_photo(height, width):
    """`(H, W, 3)` uint8: red grows with x, green with y, over the whole range of grey levels."""
    y, x = np.mgrid[:height, :width]
    red, green = (x + 0.5) / width * 255, (y + 0.5) / height * 255
    return np.stack([red, green, np.zeros_like(red)], axis=-1).round().astype(np.uint8)


def batch_of_views(height, width, num_images, global_size=112, local_size=48):
    crop = MultiCrop(global_size=global_size, local_size=local_size)
    samples = []
    for index in range(num_images):
        results = dict(img=coordinate_photo(height, width), seed=0, epoch=0, sample_idx=index, img_path='')
        for transform in (crop, RandomQuarterTurns(), PackViews()):
            results = transform(results)
        samples.append(results)
    preprocessor = MultiViewDataPreprocessor(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return preprocessor(default_collate(samples))['views']


@pytest.mark.parametrize('height,width', [(240, 320), (333, 201), (97, 411)])
@pytest.mark.parametrize('patch_size', [4, 8])
def test_teacher_and_student_patches_show_the_same_place_for_all_turns(height, width, patch_size):
    views = batch_of_views(height, width, num_images=12)
    maps = {kind: F.avg_pool2d(images[:, :2], patch_size) for kind, images in views.images().items()}
    scale = torch.tensor([width / 255, height / 255]).view(1, 2, 1, 1)  # grey levels -> source pixels
    combinations = set()
    groups = views.pairs()
    assert groups['global'].teacher_index.shape == (2, 12, 1) and groups['local'].teacher_index.shape == (2, 12, 8)
    for kind, group in groups.items():
        teacher_boxes = group.teacher_boxes_view.flatten(0, 2) / patch_size
        student_boxes = group.student_boxes_view.flatten(0, 2) / patch_size
        teacher = pool_boxes(maps['global'], teacher_boxes, group.teacher_index.flatten(), 4)
        student = pool_boxes(maps[kind], student_boxes, group.student_index.flatten(), 4)
        turned = rotate_maps(teacher, group.relative_turns.flatten())
        # One cell of the coarser map, in source pixels, bounds the error: RoIAlign clamps at the border of a map,
        # the resize antialiases there, and grey levels are whole numbers.
        crops = views.crop_boxes_src
        sides = torch.stack([crops[..., 2] - crops[..., 0], crops[..., 3] - crops[..., 1]]).amax()
        cell = patch_size / (112 if kind == 'global' else 48) * sides
        error = (turned - student).abs() * scale
        assert error.max() < 0.75 * cell
        assert error.mean() < 0.06 * cell
        unturned = (teacher - student).abs() * scale
        moved = group.relative_turns.flatten() != 0
        assert unturned[moved].mean() > 5 * error.mean()
        turns = views.turns
        for q in range(2):
            for v in range(2) if kind == 'global' else range(2, 10):
                combinations |= {(int(a), int(b)) for a, b in zip(turns[:, q], turns[:, v], strict=True) if q != v}
    assert len(combinations) == 16


def test_records_predict_every_pixel_of_a_view():
    """A record alone gives back the source position of each view pixel, for every turn."""
    height, width = 301, 407
    photo = coordinate_photo(height, width)
    seen = set()
    for index in range(8):
        results = dict(img=photo, seed=3, epoch=1, sample_idx=index, img_path='')
        results = RandomQuarterTurns()(MultiCrop(global_size=64, local_size=32)(results))
        for image, record in results['views']:
            seen.add(record.turn)
            # A small box around a source point lands around the pixel whose colours name that point.
            x1, y1, x2, y2 = record.crop_box_src
            centre = torch.tensor([x1 + 0.3 * (x2 - x1), y1 + 0.6 * (y2 - y1)], dtype=torch.double)
            box_view = record.boxes_to_view(torch.cat([centre, centre]))
            pixel = np.asarray(image)[int(box_view[1]), int(box_view[0]), :2] / 255 * (width, height)
            side = max(x2 - x1, y2 - y1) / min(record.size)
            assert np.abs(pixel - centre.numpy()).max() < side + 2
            assert image.shape == (*record.view_size, 3)
    assert seen == {0, 1, 2, 3}


def test_the_head_pools_and_turns_the_same_place():
    """The head's own crop loss on maps that hold source positions: close to -1 for every pair and every turn."""
    height, width, patch_size = 240, 320, 4
    views = batch_of_views(height, width, num_images=12)

    def position_maps(images):
        x, y = F.avg_pool2d(images[:, :2], patch_size).div(255).mul(8).split(1, dim=1)
        return torch.cat([x.sin(), x.cos(), y.sin(), y.cos()], dim=1)

    maps = {kind: position_maps(images) for kind, images in views.images().items()}
    head = GTSAHead(
        predictor=dict(type='mmssl_geo.ConvProjector', in_channels=4),
        rotation_head=dict(type='mmssl_geo.RotationHead', in_channels=4),
        crop_loss=dict(type='mmssl_geo.CropSimilarityLoss'),
        correspondence_loss=dict(type='mmssl_geo.PatchCorrespondenceLoss'),
    )
    turned = 0
    for kind, group in views.pairs().items():
        losses = head.crop_losses(kind, maps[kind], maps['global'], group, patch_size)
        assert losses.max() < -0.97
        turned += int((group.relative_turns != 0).sum())
    assert turned > 50
