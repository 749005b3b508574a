"""Checkpoints of every known layout, with their networks."""

from types import SimpleNamespace

import pytest
import torch

from tests.support import checkpoints as make

MASK = dict(masked_embed=torch.full((1, 48), 0.5))


def resnet_config(depth=50):
    return dict(type='SSLResNet', depth=depth, strides=(1, 2, 2, 2), style='pytorch')


@pytest.fixture(scope='session')
def vit_sources():
    """kind -> (checkpoint, student net, teacher net); single encoders have one net."""
    student, teacher = make.mmpretrain_vit(1), make.mmpretrain_vit(2)
    timm_student, timm_teacher = make.timm_vit(1), make.timm_vit(2)
    classifier = make.timm_vit(2, num_classes=5)
    ours, theirs = (student.state_dict(), teacher.state_dict()), (timm_student.state_dict(), timm_teacher.state_dict())
    masked = [{**MASK, **state} for state in theirs]
    own, timm = (student, teacher), (timm_student, timm_teacher)
    alone = (teacher, teacher), (timm_teacher, timm_teacher)
    return {
        'ours': (make.ours(*ours, backbone=dict(type='VisionTransformer', arch=make.ARCH)), *own),
        'official': (make.official(*theirs), *timm),
        'official, wrapped': (make.official(*theirs, 'module.'), *timm),
        'DINO': (make.dino(*theirs), *timm),
        'iBOT': (make.dino(*masked, loss='ibot_loss'), *timm),
        'one network': (make.dino(*theirs)['teacher'], *alone[1]),
        'mmpretrain encoder': (dict(meta={}, state_dict=ours[1]), *alone[0]),
        'timm encoder': (dict(classifier.state_dict()), classifier, classifier),
        'iBOT encoder': (dict(state_dict=masked[1]), *alone[1]),
    }


@pytest.fixture(scope='session')
def resnet_sources(tmp_path_factory):
    """kind -> (path of the checkpoint, student net, teacher net)."""
    student, teacher = make.torchvision_resnet(1), make.torchvision_resnet(2)
    own_student, own_teacher = make.package_resnet('mmpretrain', 1, 18), make.package_resnet('mmpretrain', 2, 18)
    small = make.torchvision_resnet(3, 18)
    old = {key: value for key, value in small.state_dict().items() if not key.endswith('num_batches_tracked')}
    states = make.without_classifier(student), make.without_classifier(teacher)
    made = {
        'ours': (
            make.ours(own_student.state_dict(), own_teacher.state_dict(), resnet_config(18)),
            own_student,
            own_teacher,
        ),
        'DINO': (make.dino(*states, wrapped_teacher=True), student, teacher),
        'denseSSL': (
            make.dino(make.without_classifier(small), make.without_classifier(small), loss='ibot_loss'),
            small,
            small,
        ),
        'torchvision encoder': (teacher.state_dict(), teacher, teacher),
        'old torchvision encoder': (old, small, small),
    }
    folder = tmp_path_factory.mktemp('resnets')
    sources = {}
    for kind, (contents, *nets) in made.items():
        path = folder / f'{kind}.pth'
        torch.save(contents, path)
        sources[kind] = SimpleNamespace(path=path, student=nets[0], teacher=nets[1])
    return sources


@pytest.fixture
def save(tmp_path):
    """Function contents -> path of a file with them."""

    def write(contents, name='source.pth'):
        torch.save(contents, tmp_path / name)
        return tmp_path / name

    return write
