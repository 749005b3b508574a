"""Nets with every weight random, their features, and the checkpoints that they come in."""

import argparse
import copy

import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer

ARCH = dict(embed_dims=48, num_layers=2, num_heads=3, feedforward_channels=96)


def randomised(net, seed):
    """`net` in evaluation mode, all its weights and BatchNorm statistics random and of sane size."""
    generator = torch.Generator().manual_seed(seed)

    def noise(like):
        return torch.randn(like.shape, generator=generator)

    with torch.no_grad():
        for name, value in net.state_dict().items():
            if name.endswith('num_batches_tracked'):
                value.fill_(7 + seed)
            elif name.endswith('running_var'):
                value.copy_(1 + noise(value).abs())
            elif value.ndim == 4 and value.shape[1] > 3:
                value.copy_(noise(value) * value[0].numel() ** -0.5)
            else:
                value.copy_(noise(value) * 0.3)
    net.eval()
    return net


def mmpretrain_vit(seed=0, final_norm=True):
    from mmpretrain.models import VisionTransformer

    return randomised(VisionTransformer(ARCH, 64, 16, out_type='raw', final_norm=final_norm), seed)


def timm_vit(seed=0, num_classes=0):
    from timm.models.vision_transformer import VisionTransformer

    return randomised(
        VisionTransformer(64, 16, embed_dim=48, depth=2, num_heads=3, mlp_ratio=2, num_classes=num_classes), seed
    )


def torchvision_resnet(seed=0, depth=50):
    import torchvision

    return randomised(getattr(torchvision.models, f'resnet{depth}')(), seed)


def package_resnet(package, seed=0, depth=50, **options):
    """`ResNet` of mmpretrain, mmdet, mmseg (all four maps) or timm, with the packages' own defaults."""
    if package == 'timm':
        import timm

        return randomised(timm.create_model(f'resnet{depth}', num_classes=0), seed)
    from importlib import import_module

    module = import_module('mmpretrain.models' if package == 'mmpretrain' else f'{package}.models.backbones')
    return randomised(module.ResNet(depth=depth, out_indices=(0, 1, 2, 3), **options), seed)


def tokens(net, images, final_norm=True):
    """(B, 1 + cells, C) tokens of the last block by the net's own forward pass, with or without its final norm."""
    net = copy.deepcopy(net)
    with torch.no_grad():
        if not hasattr(net, 'forward_features'):
            net.final_norm = final_norm
            return net(images)[-1]
        if not final_norm:
            net.norm = torch.nn.Identity()
        return net.forward_features(images)


def stage_maps(net, images):
    """List of the maps C2 to C5, float64, by the net's own layers."""
    net = copy.deepcopy(net).double()
    net.eval()  # mmdet's and mmpretrain's return None
    with torch.no_grad():
        if hasattr(net, 'out_indices'):
            return list(net(images.double()))
        from torchvision.models._utils import IntermediateLayerGetter

        return list(
            IntermediateLayerGetter(net, {f'layer{stage}': stage for stage in (1, 2, 3, 4)})(images.double()).values()
        )


def difference(ours, theirs):
    """max|a - b| / max|b|."""
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def prefixed(prefix, state):
    return {prefix + key: value for key, value in state.items()}


def repeated(state, *prefixes):
    """The weights of one network under each of the prefixes."""
    return {key: value for prefix in prefixes for key, value in prefixed(prefix, state).items()}


def without_classifier(net):
    return {key: value for key, value in net.state_dict().items() if not key.startswith('fc.')}


def ours(student, teacher, backbone):
    """As mmengine's runner writes it; `backbone` is that part of the config."""
    cfg = Config(dict(model=dict(type='GTSA', backbone=backbone), train_dataloader={}))
    neck = torch.nn.Conv2d(2, 2, 1).state_dict()
    return dict(
        meta=dict(cfg=cfg.pretty_text, epoch=1),
        state_dict={
            **prefixed('backbone.', student),
            **prefixed('neck.', neck),
            **prefixed('teacher.backbone.', teacher),
            **prefixed('teacher.neck.', neck),
        },
        message_hub=dict(log_scalars=dict(loss=HistoryBuffer([1.0], [1]))),
        optimizer=torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))]).state_dict(),
    )


def official(student, teacher, wrapper=''):
    """As the authors' GTSA code writes it."""
    head = torch.nn.Linear(2, 4).state_dict()
    state = {
        **prefixed('base_encoder.', student),
        **prefixed('base_projector.', head),
        **prefixed('momentum_encoder.', teacher),
        **prefixed('rot_predictor.', head),
    }
    return dict(model=prefixed(wrapper, state), epoch=3, args=argparse.Namespace(model='gtsa_small'))


def dino(student, teacher, wrapped_teacher=False, loss='dino_loss'):
    """As DINO's and, with `loss='ibot_loss'`, iBOT's code writes it.

    The student is in a wrapper for several processes; so is the teacher where there is BatchNorm.
    """
    head = torch.nn.Linear(2, 4).state_dict()

    def network(state, wrapper):
        return {**prefixed(f'{wrapper}backbone.', state), **prefixed(f'{wrapper}head.mlp.', head)}

    return {
        'student': network(student, 'module.'),
        'teacher': network(teacher, 'module.' if wrapped_teacher else ''),
        'optimizer': torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1).state_dict(),
        'epoch': 3,
        'args': argparse.Namespace(arch='vit_small', lr=5e-4, local_crops_scale=(0.05, 0.4)),
        loss: dict(center=torch.zeros(1, 4)),
        'fp16_scaler': dict(scale=65536.0, growth_interval=2000),
    }
