"""Networks to run: those of the packages, and reference forward passes in plain operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .architecture import FeatureFn, StateDict, import_class

if TYPE_CHECKING:
    from .resnet import ResNetSpec
    from .vit import ViTSpec


def mmpretrain_vit(spec: ViTSpec, final_norm: bool, out_type: str = 'raw') -> nn.Module:
    """Builds mmpretrain's `VisionTransformer` with random weights.

    Args:
        spec: Shape of the network.
        final_norm: Whether it has the LayerNorm after the last block.
        out_type: 'raw' to return all tokens, 'featmap' to return the map of patch tokens.
    """
    arch = dict(
        embed_dims=spec.embed_dims,
        num_layers=spec.num_layers,
        num_heads=spec.num_heads,
        feedforward_channels=spec.hidden_dims,
    )
    return import_class('mmpretrain.models', 'VisionTransformer')(
        arch, spec.img_size, spec.patch_size, spec.in_channels, final_norm=final_norm, out_type=out_type
    )


def timm_vit(spec: ViTSpec) -> nn.Module:
    """Builds timm's `VisionTransformer` without a classifier, with random weights."""
    return import_class('timm.models.vision_transformer', 'VisionTransformer')(num_classes=0, **timm_vit_args(spec))


def timm_vit_args(spec: ViTSpec) -> dict[str, Any]:
    """Returns the arguments of timm's `VisionTransformer` for a spec."""
    return dict(
        img_size=spec.img_size,
        patch_size=spec.patch_size,
        in_chans=spec.in_channels,
        embed_dim=spec.embed_dims,
        depth=spec.num_layers,
        num_heads=spec.num_heads,
        mlp_ratio=spec.hidden_dims / spec.embed_dims,
    )


class ClsAndMap(nn.Module):
    """Returns the class token, shape (B, C), and the map of patch tokens, shape (B, C, h, w), of the last block.

    Args:
        net: mmpretrain's ViT with `out_type='raw'`.
        patch_size: Side of a patch in pixels.
    """

    def __init__(self, net: nn.Module, patch_size: int) -> None:
        super().__init__()
        self.net = net
        self.patch_size = patch_size

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.net(images)[-1]
        height, width = (-(-side // self.patch_size) for side in images.shape[-2:])
        return tokens[:, 0], tokens[:, 1:].transpose(1, 2).unflatten(2, (height, width))


def last_output(net: nn.Module, weights: StateDict) -> FeatureFn:
    """Loads the weights strictly and returns the function that computes the last output, in float64."""
    net.load_state_dict(weights, strict=True)
    net.double().eval()
    return lambda images: [net(images)[-1]]


def vit_tokens(state_dict: StateDict, images: Tensor, spec: ViTSpec, final_norm: bool = True) -> Tensor:
    """Computes the tokens after the last block of a ViT, in plain operations and independent of all other code.

    Args:
        state_dict: Weights by timm's keys.
        images: Images of the native size, shape (B, in_channels, img_size, img_size); nothing is interpolated.
        spec: Shape of the network.
        final_norm: Whether to apply the final LayerNorm.

    Returns:
        Tokens, shape (B, 1 + grid_size ** 2, embed_dims), the class token first.
    """
    state_dict = {key: value.to(images.dtype) for key, value in state_dict.items()}

    def norm(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], state_dict[name + '.weight'], state_dict[name + '.bias'], eps=1e-6)

    def linear(x: Tensor, name: str) -> Tensor:
        return F.linear(x, state_dict[name + '.weight'], state_dict[name + '.bias'])

    kernel, bias = state_dict['patch_embed.proj.weight'], state_dict['patch_embed.proj.bias']
    patches = F.conv2d(images, kernel, bias, spec.patch_size)
    tokens = patches.flatten(2).transpose(1, 2)
    tokens = torch.cat([state_dict['cls_token'].expand(len(images), -1, -1), tokens], dim=1) + state_dict['pos_embed']
    batch, length, width = tokens.shape
    for block in (f'blocks.{index}' for index in range(spec.num_layers)):
        qkv = linear(norm(tokens, f'{block}.norm1'), f'{block}.attn.qkv')
        query, key, value = qkv.view(batch, length, 3, spec.num_heads, -1).permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-2, -1) * (width // spec.num_heads) ** -0.5
        mixed = (scores.softmax(dim=-1) @ value).transpose(1, 2).reshape(batch, length, width)
        tokens = tokens + linear(mixed, f'{block}.attn.proj')
        hidden = F.gelu(linear(norm(tokens, f'{block}.norm2'), f'{block}.mlp.fc1'))
        tokens = tokens + linear(hidden, f'{block}.mlp.fc2')
    return norm(tokens, 'norm') if final_norm else tokens


def openmmlab_resnet(spec: ResNetSpec, package: str, out_indices: Sequence[int] = (0, 1, 2, 3)) -> nn.Module:
    """Builds the `ResNet` of mmpretrain, mmdet or mmseg with random weights.

    Args:
        spec: Shape of the network.
        package: Name of the package.
        out_indices: Stages whose maps the network returns.
    """
    module = 'mmpretrain.models' if package == 'mmpretrain' else f'{package}.models.backbones'
    return import_class(module, 'ResNet')(
        depth=spec.depth,
        in_channels=spec.in_channels,
        stem_channels=spec.stem_channels,
        base_channels=spec.base_channels,
        out_indices=out_indices,
    )


def timm_resnet(spec: ResNetSpec) -> nn.Module:
    """Builds timm's `ResNet` without a classifier, with random weights."""
    block = import_class('timm.models.resnet', 'Bottleneck' if spec.bottleneck else 'BasicBlock')
    return import_class('timm.models.resnet', 'ResNet')(
        block, list(spec.num_blocks), num_classes=0, in_chans=spec.in_channels
    )


def resnet_maps(state_dict: StateDict, images: Tensor, spec: ResNetSpec) -> list[Tensor]:
    """Computes the feature maps of a ResNet in evaluation mode, in plain operations and independent of all other code.

    Args:
        state_dict: Weights by torchvision's keys.
        images: Images, shape (B, in_channels, H, W).
        spec: Shape of the network.

    Returns:
        Maps C2 to C5 of the four stages, each of shape (B, C, h, w), strides 4, 8, 16 and 32.
    """
    state_dict = {key: value.to(images.dtype) for key, value in state_dict.items()}

    def conv_norm(x: Tensor, conv: str, norm: str, stride: int = 1) -> Tensor:
        kernel = state_dict[f'{conv}.weight']
        x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        mean, var = state_dict[f'{norm}.running_mean'], state_dict[f'{norm}.running_var']
        return F.batch_norm(x, mean, var, state_dict[f'{norm}.weight'], state_dict[f'{norm}.bias'])

    def residual_block(x: Tensor, block: str, stride: int) -> Tensor:
        # The first 3 x 3 convolution has the stride: the second of a bottleneck, the first of a basic block.
        strides = (1, stride, 1) if spec.bottleneck else (stride, 1)
        branch = x
        for index, conv_stride in enumerate(strides, start=1):
            branch = conv_norm(branch, f'{block}conv{index}', f'{block}bn{index}', conv_stride)
            branch = branch if index == len(strides) else F.relu(branch)
        if f'{block}downsample.0.weight' in state_dict:
            x = conv_norm(x, f'{block}downsample.0', f'{block}downsample.1', stride)
        return F.relu(x + branch)

    x = F.max_pool2d(F.relu(conv_norm(images, 'conv1', 'bn1', 2)), 3, 2, 1)
    maps = []
    for stage, num_blocks in enumerate(spec.num_blocks, start=1):
        for index in range(num_blocks):
            x = residual_block(x, f'layer{stage}.{index}.', 2 if stage > 1 and index == 0 else 1)
        maps.append(x)
    return maps
