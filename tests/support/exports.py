"""Exports that downstream configs are started from."""

import torch

from mmssl_geo.checkpoints import convert
from mmssl_geo.models import SSLResNet, SSLVisionTransformer


def target_of(cfg):
    """What the converter is told for this config: without the final LayerNorm for nets that do not use it."""
    return 'mmpretrain' if cfg.model.backbone.get('final_norm', True) else 'mmseg'


def write_export(cfg, path):
    """A whole net as pretraining leaves it, exported for the config; returns the weights written."""
    torch.manual_seed(1)
    backbone = cfg.model.backbone
    if backbone.type.endswith('ResNet'):
        net, target = SSLResNet(backbone.depth), 'mmseg'
    else:
        net, target = SSLVisionTransformer(arch=backbone.arch, patch_size=backbone.patch_size), target_of(cfg)
    net.init_weights()
    torch.save(dict(state_dict=net.state_dict()), path.with_suffix('.pretrained.pth'))
    convert(path.with_suffix('.pretrained.pth'), path, target, weights='student')
    return torch.load(path)['state_dict']


def check_backbone_is_loaded(backbone, weights):
    """All tensors of the file are in the net; a position embedding of another size is resized."""
    loaded = backbone.state_dict()
    assert loaded.keys() == weights.keys()
    resized = [key for key in weights if loaded[key].shape != weights[key].shape]
    assert resized in ([], ['pos_embed'])
    assert all(torch.equal(loaded[key], value) for key, value in weights.items() if key not in resized)
