"""Randomly initialised nets, the baseline of pretrained ones."""

import contextlib
import copy
import logging
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.logging import MMLogger
from torch import nn

from mmssl_geo.models.backbones import SSLVisionTransformer


def randomly_initialised(net: nn.Module, seed: int = 0) -> nn.Module:
    """Copies a backbone with new random weights; the global random state does not change.

    A vision transformer is initialised like `SSLVisionTransformer` before pretraining. Other nets are initialised by
    torch and their own `init_weights`, but without zero-initialised residual branches.

    Args:
        net: A backbone of mmpretrain or a subclass.
        seed: Seed of the weights.

    Returns:
        The copy, in evaluation mode.
    """
    copied: Any = copy.deepcopy(net)  # mmpretrain has no types
    with torch.random.fork_rng(devices=[]), _without_init_log():
        torch.manual_seed(seed)
        if hasattr(net, 'patch_embed'):
            copied.load_state_dict(_new_vit(copied).state_dict(), strict=True)
        else:
            for module in copied.modules():
                reset = getattr(module, 'reset_parameters', None)
                if reset is not None:
                    reset()
            # With zeroed residual branches the net would have almost no depth.
            copied.zero_init_residual = False
            copied.init_weights()
    copied.eval()  # mmpretrain's `train` and `eval` return None
    return copied


@contextlib.contextmanager
def _without_init_log() -> Iterator[None]:
    """Silences mmengine, which logs the initialisation of every parameter."""
    logger = MMLogger.get_current_instance()  # `logging.disable` does not reach every logger of mmengine
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _new_vit(net: Any) -> SSLVisionTransformer:  # noqa: ANN401  (mmpretrain has no types)
    block = net.layers[0]
    arch = dict(
        embed_dims=net.embed_dims,
        num_layers=net.num_layers,
        num_heads=block.attn.num_heads,
        feedforward_channels=block.ffn.feedforward_channels,
    )
    vit = SSLVisionTransformer(
        arch=arch,
        img_size=net.img_size,
        patch_size=net.patch_embed.projection.kernel_size,
        in_channels=net.patch_embed.projection.in_channels,
        out_type='featmap',
        final_norm=net.final_norm,
    )
    vit.init_weights()
    return vit
