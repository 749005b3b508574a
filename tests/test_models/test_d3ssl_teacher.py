"""D3SSL's teacher: its update, its modes, its statistics."""

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmssl_geo.models.selfsup.teacher import Teacher
from tests.support.regions import TINY_RESNET, TINY_VIT, build_d3ssl, random_regions


@pytest.fixture(params=[TINY_RESNET, TINY_VIT], ids=['resnet', 'vit'])
def model(request, default_scope):
    return build_d3ssl(request.param)


@pytest.fixture
def resnet(default_scope):
    return build_d3ssl()


def test_the_teacher_is_a_moving_average_with_its_own_statistics(resnet):
    views = random_regions()
    resnet(views, mode='loss')
    for param in (*resnet.backbone.parameters(), *resnet.neck.parameters()):
        param.data.add_(1.0)
    teacher = {name: param.clone() for name, param in resnet.teacher.named_parameters()}
    buffers = {name: value.clone() for name, value in resnet.teacher.named_buffers()}
    student = {
        **{f'backbone.{n}': p for n, p in resnet.backbone.named_parameters()},
        **{f'neck.{n}': p for n, p in resnet.neck.named_parameters()},
    }
    resnet.update_teacher(0.75)
    for name, param in resnet.teacher.named_parameters():
        torch.testing.assert_close(param, 0.75 * teacher[name] + 0.25 * student[name])
    own = dict(resnet.teacher.named_buffers())
    assert buffers and all(torch.equal(own[name], value) for name, value in buffers.items())
    students = dict(resnet.backbone.named_buffers())
    assert not torch.equal(own['backbone.bn1.running_mean'], students['bn1.running_mean'])


def test_teacher_normalises_by_the_batch_and_keeps_running_statistics(resnet):
    """Two forwards, x1 and x2: running mean = 0.9 (0.9 * 0 + 0.1 a) + 0.1 b with torch's momentum of 0.1."""
    views = random_regions()
    inputs = {name: resnet.teacher.backbone.conv1(views.images[name]) for name in ('x1', 'x2')}
    resnet(views, mode='loss')
    a, b = (inputs[name].mean(dim=(0, 2, 3)) for name in ('x1', 'x2'))
    torch.testing.assert_close(resnet.teacher.backbone.bn1.running_mean, 0.09 * a + 0.1 * b, rtol=1e-4, atol=1e-6)
    normalised = resnet.teacher.backbone.bn1(inputs['x1'])
    torch.testing.assert_close(normalised.mean(dim=(0, 2, 3)), torch.zeros(8), atol=1e-5, rtol=0)


def test_training_mode_of_the_teacher(resnet):
    norms = [module for module in resnet.teacher.modules() if isinstance(module, _BatchNorm)]
    assert len(norms) > 10 and all(norm.training for norm in norms) and not resnet.teacher.backbone.training
    resnet.eval()
    assert not any(norm.training for norm in norms)
    resnet.train()
    assert all(norm.training for norm in norms)


def test_a_teacher_without_batch_statistics_stays_in_evaluation_mode_and_copies_buffers():
    nets = [nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5)) for _ in range(4)]
    teacher = Teacher(nets[0], nets[1]).train()
    assert not any(module.training for module in teacher.modules())
    nets[2][0].running_mean.fill_(7.0)
    teacher.update(nets[2], nets[3], 1.0)
    assert (teacher.backbone[0].running_mean == 7).all()


def test_dropout_stays_off_in_a_teacher_with_batch_statistics():
    net = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5))
    teacher = Teacher(net, nn.Identity(), batch_statistics=True).train()
    assert teacher.backbone[0].training and not teacher.backbone[1].training


def test_the_teacher_has_no_drop_path(default_scope):
    model = build_d3ssl({**TINY_VIT, 'drop_path_rate': 0.5})
    assert max(module.drop_prob for module in model.backbone.modules() if hasattr(module, 'drop_prob')) == 0.5
    views = random_regions()
    assert torch.equal(model.project_teacher(views, 'x1'), model.project_teacher(views, 'x1'))
    assert not torch.equal(model.project_student(views, 'x1'), model.project_student(views, 'x1'))


def test_extracting_teacher_tokens_changes_no_state(model):
    views = random_regions()
    model(views, mode='loss')
    before = {name: value.clone() for name, value in model.state_dict().items()}
    tokens = model.teacher_tokens(views.monitor_images)
    assert tokens.shape == (2, 16, 24 if model.backbone.has_cls_token else 32)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(m.training for m in model.teacher.modules() if isinstance(m, _BatchNorm))
    model.teacher.eval()
    maps = model.teacher.backbone.region_maps(views.images['x2'])
    torch.testing.assert_close(tokens[1, 5], maps[1, :, 1, 1])  # row-major
