"""A net of the same architecture from random weights, to compare pretrained ones with."""
import contextlib
import copy
import logging

import torch
from mmengine.logging import MMLogger
from mmpretrain.models import VisionTransformer

from mmssl_geo.models.backbones import SSLVisionTransformer


def randomly_initialised(net, seed=0):
    """A copy of a backbone whose weights are drawn anew; the global generator is left as it was.

    A vision transformer is initialised as `SSLVisionTransformer` is before pretraining, any other net as torch and
    its own `init_weights` do it, but with the residual branches of a ResNet at work.

    Args:
        net: backbone of mmpretrain.
        seed: of the weights.

    Returns:
        The copy, in eval mode.
    """
    fresh = copy.deepcopy(net)
    with torch.random.fork_rng(devices=[]), _quiet():
        torch.manual_seed(seed)
        if isinstance(net, VisionTransformer):
            fresh.load_state_dict(_fresh_vit(net).state_dict(), strict=True)
        else:
            for module in fresh.modules():
                if hasattr(module, 'reset_parameters'):
                    module.reset_parameters()
            # Zeroed residual branches help training begin; measured, they are a net of almost no depth.
            fresh.zero_init_residual = False
            fresh.init_weights()
    fresh.eval()  # mmpretrain's backbones return nothing here
    return fresh


@contextlib.contextmanager
def _quiet():
    """mmengine logs every single parameter that is initialised."""
    logger = MMLogger.get_current_instance()  # it is not one of those that `logging.disable` reaches for certain
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def _fresh_vit(net):
    block = net.layers[0]
    arch = dict(embed_dims=net.embed_dims, num_layers=net.num_layers, num_heads=block.attn.num_heads,
                feedforward_channels=block.ffn.feedforward_channels)
    vit = SSLVisionTransformer(
        arch=arch, img_size=net.img_size, patch_size=net.patch_embed.projection.kernel_size, out_type='featmap',
        final_norm=net.final_norm)
    vit.init_weights()
    return vit
