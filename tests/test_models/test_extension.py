"""A new backbone, loss and method, as users add them: what the package's own parts expect of them."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmssl_geo.models import MultiViewDataPreprocessor, StudentTeacher
from mmssl_geo.models.backbones.base import arch_of, has_cls_token
from mmssl_geo.registry import MODELS
from mmssl_geo.structures import RECORD_FIELDS, ViewRecord, stack_records
from tests.support.pretraining import random_views, tiny_config
from tests.support.regions import TINY_RESNET, TINY_VIT, d3ssl_config, random_regions


class PatchConv(nn.Module):
    """A backbone of one convolution that meets the contract and nothing more."""

    feature_stride, feature_channels, has_cls_token, num_extra_tokens = 8, 12, False, 0
    region_stride = 8

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 8, 8)

    def forward(self, images):
        return (self.conv(images),)

    def region_maps(self, images):
        return self(images)[-1]

    def region_vectors(self, patches):
        return patches.mean(dim=(2, 3))


class MeanSquare(nn.Module):
    """A loss."""

    def forward(self, predictions, targets):
        return F.mse_loss(predictions, targets)


class MeanTeacher(StudentTeacher):
    """A method that regresses the mean of the teacher's global maps; without a head it computes the loss itself."""

    def loss(self, views):
        predictions = self.neck(self.student_features(views)['global']).mean(dim=(2, 3))
        targets = self.teacher(views.global_images).mean(dim=(2, 3))
        return dict(loss_mean=self.head(predictions, targets) if self.with_head else F.l1_loss(predictions, targets))


@pytest.fixture
def registered(default_scope):
    for module in (PatchConv, MeanSquare, MeanTeacher):
        MODELS.register_module(module=module)
    yield
    for module in (PatchConv, MeanSquare, MeanTeacher):
        MODELS.module_dict.pop(module.__name__)


def step(model, views):
    model.init_weights()
    losses = model.train()(views, mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert all(param.grad is not None for param in model.parameters() if param.requires_grad)
    model.update_teacher(0.9)
    return losses


def test_a_new_method_and_loss(registered):
    model = MeanTeacher(
        backbone={**TINY_VIT, 'drop_path_rate': 0.1},
        neck=dict(type='ConvProjector', out_channels=8),
        head=dict(type='MeanSquare'),
    )
    assert set(step(model, random_views())) == {'loss_mean'}
    assert isinstance(model.data_preprocessor, MultiViewDataPreprocessor)


def test_a_method_needs_no_head(registered):
    model = MeanTeacher(backbone=TINY_VIT, neck=dict(type='ConvProjector', out_channels=8))
    assert set(step(model, random_views())) == {'loss_mean'}


def test_a_new_backbone_in_every_method(registered):
    gtsa = MODELS.build({**tiny_config().model, 'backbone': dict(type='PatchConv')})
    assert gtsa.feature_stride == 8 and gtsa.head.rotation_head.mlp[0].in_features == 12
    assert 'loss_crop' in step(gtsa, random_views())
    d3ssl = MODELS.build(d3ssl_config(dict(type='PatchConv')))
    assert 'loss_dp' in step(d3ssl, random_regions())
    assert gtsa.teacher_tokens(torch.zeros(2, 3, 32, 32)).shape == (2, 16, 12)


def test_gtsa_on_a_resnet(default_scope):
    """The maps are those of the last stage, at stride 32, not those that D3SSL pools regions from."""
    model = MODELS.build({**tiny_config().model, 'backbone': TINY_RESNET})
    assert (model.feature_stride, model.backbone.region_stride) == (32, 16)
    assert 'loss_crop' in step(model, random_views())
    assert model.teacher_tokens(torch.zeros(2, 3, 64, 64)).shape == (2, 4, model.backbone.feature_channels)


def test_backbones_describe_themselves(default_scope):
    vit, resnet = MODELS.build(TINY_VIT), MODELS.build(TINY_RESNET)
    assert (vit.feature_stride, vit.feature_channels, vit.has_cls_token, vit.num_extra_tokens) == (16, 24, True, 1)
    assert has_cls_token(vit) and not has_cls_token(resnet)
    assert arch_of(vit) == dict(embed_dims=24, num_layers=2, num_heads=2, patch_size=16)
    assert arch_of(resnet) == dict(depth=18)
    without = MODELS.build({**TINY_VIT, 'with_cls_token': False})
    assert (without.has_cls_token, without.num_extra_tokens) == (False, 0)


def test_records_are_stacked_by_the_fields_of_a_batch():
    records = [
        ViewRecord((0.0, 1.0, 20.0, 30.0), (8, 8), 3, True, True),
        ViewRecord((5.0, 5.0, 9.0, 9.0), (4, 4), 0, False),
    ]
    stacked = stack_records(records)
    assert tuple(stacked) == RECORD_FIELDS == ('crop_boxes_src', 'turns', 'flipped')
    assert stacked['crop_boxes_src'].tolist() == [[0, 1, 20, 30], [5, 5, 9, 9]]
    assert stacked['turns'].tolist() == [3, 0] and stacked['flipped'].tolist() == [True, False]
