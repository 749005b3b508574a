"""Checkpoints of tiny nets, with the nets."""

from types import SimpleNamespace

import pytest
import torch

from tests.support import checkpoints as make


@pytest.fixture(scope='session')
def vit(tmp_path_factory):
    """A pretraining checkpoint of ours (patch 16, made for 64 px), its student and its teacher."""
    student, teacher = make.mmpretrain_vit(1), make.mmpretrain_vit(2)
    path = tmp_path_factory.mktemp('vit') / 'epoch_1.pth'
    torch.save(
        make.ours(
            student.state_dict(), teacher.state_dict(), dict(type='mmssl_geo.SSLVisionTransformer', arch=make.ARCH)
        ),
        path,
    )
    return SimpleNamespace(path=path, student=student, teacher=teacher)


@pytest.fixture(scope='session')
def resnet(tmp_path_factory):
    """A torchvision checkpoint of a ResNet-18, and the net."""
    net = make.torchvision_resnet(3, 18)
    path = tmp_path_factory.mktemp('resnet') / 'r18.pth'
    torch.save(net.state_dict(), path)
    return SimpleNamespace(path=path, net=net)
