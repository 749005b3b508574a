"""Tiny nets with every parameter random, in the checkpoints that they come in."""
import argparse
from types import SimpleNamespace

import pytest
import torch

ARCH = dict(embed_dims=48, num_layers=2, num_heads=3, feedforward_channels=96)


def randomised(net, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    net.eval()
    return net


def mmpretrain_net(seed=0, final_norm=True):
    from mmpretrain.models import VisionTransformer
    return randomised(VisionTransformer(ARCH, 64, 16, out_type='raw', final_norm=final_norm), seed)


def timm_net(seed=0, num_classes=0):
    from timm.models.vision_transformer import VisionTransformer
    return randomised(
        VisionTransformer(64, 16, embed_dim=48, depth=2, num_heads=3, mlp_ratio=2, num_classes=num_classes), seed)


def prefixed(**parts):
    return {f'{prefix.replace("__", ".")}.{key}': value for prefix, state in parts.items()
            for key, value in state.items()}


def ours(student, teacher):
    """As mmengine's runner writes it."""
    from mmengine.config import Config
    from mmengine.logging import HistoryBuffer
    cfg = Config(dict(model=dict(type='GTSA', backbone=dict(type='VisionTransformer', arch=ARCH)), train_dataloader={}))
    neck = torch.nn.Conv2d(2, 2, 1).state_dict()
    return dict(
        meta=dict(cfg=cfg.pretty_text, epoch=1),
        state_dict=prefixed(backbone=student.state_dict(), neck=neck, teacher__backbone=teacher.state_dict(),
                            teacher__neck=neck),
        message_hub=dict(log_scalars=dict(loss=HistoryBuffer([1.0], [1]))),
        optimizer=torch.optim.AdamW(student.parameters()).state_dict())


def official(student, teacher, wrapper=''):
    head = torch.nn.Linear(2, 4).state_dict()
    state = prefixed(base_encoder=student.state_dict(), base_projector=head, momentum_encoder=teacher.state_dict(),
                     rot_predictor=head)
    return dict(model={wrapper + key: value for key, value in state.items()}, epoch=3,
                args=argparse.Namespace(model='gtsa_small'))


@pytest.fixture(scope='session')
def nets():
    """Builders of tiny nets in mmpretrain's and in timm's own classes."""
    return SimpleNamespace(mmpretrain=mmpretrain_net, timm=timm_net)


@pytest.fixture(scope='session')
def sources():
    """kind -> (checkpoint, student net, teacher net); encoders alone have one net."""
    student, teacher = mmpretrain_net(1), mmpretrain_net(2)
    timm_student, timm_teacher = timm_net(1), timm_net(2)
    classifier = timm_net(2, num_classes=5)
    return {
        'ours': (ours(student, teacher), student, teacher),
        'official': (official(timm_student, timm_teacher), timm_student, timm_teacher),
        'official, wrapped': (official(timm_student, timm_teacher, 'module.'), timm_student, timm_teacher),
        'mmpretrain encoder': (dict(meta={}, state_dict=teacher.state_dict()), teacher, teacher),
        'timm encoder': (dict(classifier.state_dict()), classifier, classifier),
    }
