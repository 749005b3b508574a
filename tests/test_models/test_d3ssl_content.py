"""Images whose pixels hold their own coordinates go through the real pipeline: pooled regions must show the same place.

Red is the column of a source pixel, green its row, blue the number of the image: what is filled, or another image, has
another blue.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from PIL import Image
from torch import nn
from torch.utils.data import default_collate

from mmssl_geo.datasets.transforms import PackRegionViews
from mmssl_geo.models import RegionViewDataPreprocessor
from mmssl_geo.registry import DATASETS, MODELS
from tests.support import ROOT
from tests.support.regions import d3ssl_config

CELLS = 6
NUM_IMAGES = 6
PAIRS = (('x1_cut', 'x2'), ('x2_small', 'x1'), ('x3', 'x2'), ('x3', 'x1'))


class AverageMap(nn.Module):
    """A backbone whose map is the image averaged over cells of 2 px; a region's vector is its flattened patch."""

    region_stride = 2

    def region_maps(self, images):
        return F.avg_pool2d(images, self.region_stride)

    def region_vectors(self, patches):
        return patches.flatten(1)


class PackWithFlips(PackRegionViews):
    """Also packs whether each view is flipped."""

    def transform(self, results):
        flipped = {name: view['flipped'] for name, view in results['views'].items()}
        return dict(super().transform(results), flipped=flipped)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('coordinates')
    height, width = 180, 250
    y, x = np.mgrid[:height, :width]
    for number in range(NUM_IMAGES):
        blue = np.full_like(x, 20 * number)
        Image.fromarray(np.stack([x, y, blue], axis=-1).astype(np.uint8)).save(folder / f'{number}.png')
    return folder


@pytest.fixture
def batch(folder, default_scope):
    """Collated samples of all images from the pipeline of a shipped config, without photometric augmentation."""
    cfg = Config.fromfile(ROOT / 'configs/d3ssl_r18_photos.py').train_dataloader.dataset
    cfg.data_root = str(folder)
    for name in ('x1', 'x2', 'x1_cut', 'x2_small', 'x3'):
        cfg.pipeline[name].steps.photometric = None
    cfg.pipeline.views.same_part = True  # then x1's boxes also contain only what x2 shows
    cfg.pipeline.pack = PackWithFlips()
    dataset = DATASETS.build(cfg)

    def load(epoch=0):
        return default_collate([dataset[index, epoch] for index in range(NUM_IMAGES)])

    return load


@pytest.fixture
def model(default_scope):
    model = MODELS.build(d3ssl_config(pooled_sizes=dict.fromkeys(('x1', 'x2', 'x1_cut', 'x2_small', 'x3'), CELLS)))
    for network in (model, model.teacher):
        network.backbone, network.neck = AverageMap(), nn.Identity()
    return model


def patches(vectors, flipped):
    """Patches (B, K, 3, cells, cells), flipped back."""
    out = vectors.unflatten(1, (3, CELLS, CELLS)).unflatten(0, (NUM_IMAGES, -1))
    return torch.where(flipped.view(-1, 1, 1, 1, 1), out.flip(-1), out)


def compare(model, data, student, teacher):
    """Distance in source pixels between what corresponding cells show, and which cells show the image itself."""
    views = RegionViewDataPreprocessor(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))(data)['views']
    ours = patches(model.project_student(views, student), data['flipped'][student])
    theirs = patches(model.project_teacher(views, teacher), data['flipped'][teacher])
    blue = 20.0 * torch.arange(NUM_IMAGES).view(-1, 1, 1, 1)
    assert (theirs[:, :, 2] - blue).abs().max() < 0.01, 'the teacher sees whole regions'
    return (ours - theirs)[:, :, :2].norm(dim=2), (ours[:, :, 2] - blue).abs() < 0.01


@pytest.mark.parametrize('student, teacher', PAIRS)
def test_pooled_regions_show_the_same_place(student, teacher, model, batch):
    """Outside holes; flips, crops, resizing and the shift included."""
    flips = set()
    for epoch in range(2):
        data = batch(epoch)
        distance, own = compare(model, data, student, teacher)
        assert own.flatten(2).any(dim=2).float().mean() > 0.8 and 0.2 < own.float().mean() < 0.95, 'cut, but not all'
        assert distance[own].median() < 0.3 and distance[own].max() < 2.5  # at the border of a view the map ends
        flips |= set(zip(data['flipped'][student].tolist(), data['flipped'][teacher].tolist(), strict=True))
    assert len(flips) == 2 if student == 'x3' and teacher == 'x2' else len(flips) > 2


def test_the_boxes_of_x3_are_shifted_with_it(model, batch):
    """With the boxes of x2 instead, regions of shifted images show other places."""
    data = batch()
    shifted = (data['regions']['x3'] - data['regions']['x2']).abs().amax(dim=(1, 2)) >= 6
    assert shifted.any()
    distance, own = compare(model, data, 'x3', 'x2')
    right = (own & (distance < 2.5))[shifted].float().mean()
    data['regions']['x3'] = data['regions']['x2']
    distance, own = compare(model, data, 'x3', 'x2')
    assert (own & (distance < 2.5))[shifted].float().mean() < right / 4


def test_the_background_of_x3_is_another_image(batch):
    data = batch()
    views = RegionViewDataPreprocessor(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))(data)['views']
    blue = views.images['x3'][:, 2]
    behind = torch.stack([image[~mask].mode().values for image, mask in zip(blue, data['foreground'], strict=True)])
    own = 20.0 * torch.arange(NUM_IMAGES)
    torch.testing.assert_close(behind.sort().values, own, rtol=0, atol=0.01)
    assert ((behind - own).abs() > 10).all()
    assert all(
        ((image - value).abs() < 1).all()
        for image, value in zip(
            (image[mask] for image, mask in zip(blue, data['foreground'], strict=True)), own, strict=True
        )
    )
