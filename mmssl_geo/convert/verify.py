"""Proof that a converted file gives the features of its source.

Both sides are read anew from their files; the source's runs in the source's own form. All in float64, so that the
order of sums plays no part.
"""
import importlib

import torch
import torch.nn.functional as F

from ..errors import UserError
from .checkpoint_io import read_checkpoint
from .layouts import drop_final_norm

TOLERANCE = 1e-5


def verify(source, written, facts, naming, target):
    """Compares all tokens after the last block on a random image.

    Args:
        source: own name -> tensor, as in the source file.
        written: path of the converted file.
        facts: `ViTFacts`.
        naming: the source's names, 'mmpretrain' or 'timm'.
        target: `Target` that the file was written for.

    Returns:
        dict: image size (height, width) in pixels -> max|a - b| / max|b|, b being the source's.

    Raises:
        UserError: the file does not load strictly, or the features differ by more than `TOLERANCE`.
    """
    weights = read_checkpoint(written)['state_dict']
    build = _timm_net if target.naming == 'timm' else _mmpretrain_net
    try:
        converted = build(weights, facts, target.final_norm)
    except RuntimeError as error:
        raise UserError(
            f'the converted weights do not load into the target backbone, nothing is kept: {error}') from error
    if naming == 'mmpretrain':
        reference = _mmpretrain_net(
            source if target.final_norm else drop_final_norm(source, naming), facts, target.final_norm)
    else:
        def reference(images):
            return plain_tokens(source, images, facts, target.final_norm)
    differences = {}
    for size in _sizes(facts, naming, target):
        images = torch.randn(1, facts.in_channels, *size, generator=torch.Generator().manual_seed(0)).double()
        with torch.no_grad():
            ours, theirs = converted(images), reference(images)
        differences[size] = ((ours - theirs).abs().max() / theirs.abs().max()).item()
        if not differences[size] <= TOLERANCE:
            raise UserError(
                f'the converted weights give other features than the source (relative difference '
                f'{differences[size]:.1e} at {size[0]} x {size[1]} pixels); nothing is kept')
    return differences


def plain_tokens(state, images, facts, final_norm=True):
    """Forward pass of a ViT by timm's names, in plain operations and from no other code of ours.

    Args:
        state: timm name -> tensor.
        images: (B, in_channels, img_size, img_size), of the native size: nothing is interpolated.
        facts: `ViTFacts`.
        final_norm: apply the final LayerNorm.

    Returns:
        Tensor: (B, 1 + grid * grid, embed_dims), the class token first.
    """
    state = {key: value.to(images.dtype) for key, value in state.items()}

    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], state[name + '.weight'], state[name + '.bias'], eps=1e-6)

    def linear(x, name):
        return F.linear(x, state[name + '.weight'], state[name + '.bias'])

    patches = F.conv2d(images, state['patch_embed.proj.weight'], state['patch_embed.proj.bias'], facts.patch_size)
    tokens = patches.flatten(2).transpose(1, 2)
    tokens = torch.cat([state['cls_token'].expand(len(images), -1, -1), tokens], dim=1) + state['pos_embed']
    batch, length, width = tokens.shape
    for block in (f'blocks.{number}' for number in range(facts.num_layers)):
        packed = linear(norm(tokens, f'{block}.norm1'), f'{block}.attn.qkv')
        query, key, value = packed.view(batch, length, 3, facts.num_heads, -1).permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-2, -1) * (width // facts.num_heads)**-0.5
        mixed = (scores.softmax(dim=-1) @ value).transpose(1, 2).reshape(batch, length, width)
        tokens = tokens + linear(mixed, f'{block}.attn.proj')
        hidden = F.gelu(linear(norm(tokens, f'{block}.norm2'), f'{block}.mlp.fc1'))
        tokens = tokens + linear(hidden, f'{block}.mlp.fc2')
    return norm(tokens, 'norm') if final_norm else tokens


def _sizes(facts, naming, target):
    """The native size, and an oblong one where both sides resize the position embedding alike.

    mmpretrain's nets do among themselves. timm antialiases and the official code scales by a rounded factor: other
    embeddings, from the same weights.
    """
    native = (facts.img_size, facts.img_size)
    if naming == target.naming == 'mmpretrain':
        return native, (native[0] + facts.patch_size, native[1] + 3 * facts.patch_size)
    return (native, )


def _net_class(module):
    try:
        return importlib.import_module(module).VisionTransformer
    except ModuleNotFoundError as error:
        raise UserError(f'comparing the features needs {error.name}, which is not installed') from error


def _mmpretrain_net(weights, facts, final_norm):
    VisionTransformer = _net_class('mmpretrain.models')
    arch = dict(embed_dims=facts.embed_dims, num_layers=facts.num_layers, num_heads=facts.num_heads,
                feedforward_channels=facts.hidden_dims)
    net = VisionTransformer(arch, facts.img_size, facts.patch_size, facts.in_channels, final_norm=final_norm,
                            out_type='raw')
    net.load_state_dict(weights, strict=True)
    net.double().eval()
    return lambda images: net(images)[-1]


def _timm_net(weights, facts, final_norm):
    VisionTransformer = _net_class('timm.models.vision_transformer')
    assert final_norm, "timm's nets have the final norm"
    net = VisionTransformer(
        facts.img_size, facts.patch_size, facts.in_channels, num_classes=0, embed_dim=facts.embed_dims,
        depth=facts.num_layers, num_heads=facts.num_heads, mlp_ratio=facts.hidden_dims / facts.embed_dims)
    net.load_state_dict(weights, strict=True)
    return net.double().eval().forward_features
