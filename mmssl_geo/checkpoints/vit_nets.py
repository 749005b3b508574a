"""Vision transformers to run: mmpretrain's, timm's, and the same forward pass in plain operations."""
import torch
import torch.nn.functional as F
from torch import nn

from .architecture import net_class


def mmpretrain_vit(facts, final_norm, out_type='raw'):
    """mmpretrain's `VisionTransformer`, with random weights.

    Args:
        facts: `ViTFacts`.
        final_norm: whether it has the LayerNorm after the last block.
        out_type: 'raw' for all tokens, 'featmap' for the map of patches.
    """
    arch = dict(embed_dims=facts.embed_dims, num_layers=facts.num_layers, num_heads=facts.num_heads,
                feedforward_channels=facts.hidden_dims)
    return net_class('mmpretrain.models', 'VisionTransformer')(
        arch, facts.img_size, facts.patch_size, facts.in_channels, final_norm=final_norm, out_type=out_type)


def timm_vit(facts):
    """timm's `VisionTransformer` without a classifier, with random weights."""
    return net_class('timm.models.vision_transformer', 'VisionTransformer')(
        facts.img_size, facts.patch_size, facts.in_channels, num_classes=0, embed_dim=facts.embed_dims,
        depth=facts.num_layers, num_heads=facts.num_heads, mlp_ratio=facts.hidden_dims / facts.embed_dims)


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


class ClsAndMap(nn.Module):
    """mmpretrain's ViT (`out_type='raw'`): images -> [CLS] (B, C) and map (B, C, h, w) of the last block."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images):
        tokens = self.net(images)[-1]
        height, width = (-(-side // self.net.patch_embed.projection.stride[0]) for side in images.shape[-2:])
        return tokens[:, 0], tokens[:, 1:].transpose(1, 2).unflatten(2, (height, width))
