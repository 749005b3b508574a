"""ResNets, whose keys are those of torchvision in every package."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mmssl_geo.checkpoints.formats.onnx import OnnxModel
from mmssl_geo.utils.errors import UserError

from .architecture import Architecture, FeatureFn, NumHeadsError, StateDict, check_weights, count_blocks
from .meta_config import backbone_config
from .networks import openmmlab_resnet, resnet_maps, timm_resnet

DEPTHS: dict[tuple[bool, tuple[int, ...]], int] = {  # (bottleneck blocks?, blocks per stage) -> number of layers
    (False, (2, 2, 2, 2)): 18,
    (False, (3, 4, 6, 3)): 34,
    (True, (3, 4, 6, 3)): 50,
    (True, (3, 4, 23, 3)): 101,
    (True, (3, 8, 36, 3)): 152,
}
# Options of mmpretrain's ResNet that change the features but leave no trace in the weights.
_STANDARD_OPTIONS = dict(style='pytorch', strides=[1, 2, 2, 2], dilations=[1, 1, 1, 1])
_BATCH_COUNT = 'num_batches_tracked'


@dataclass(frozen=True)
class ResNetSpec:
    """Shape of a ResNet.

    Attributes:
        bottleneck: Whether the blocks are bottlenecks.
        num_blocks: Number of blocks per stage.
        in_channels: Channels of the images.
        stem_channels: Channels of the stem, 64 in the standard networks.
        base_channels: Width of the first stage, 64 in the standard networks.
    """

    bottleneck: bool
    num_blocks: tuple[int, ...]
    in_channels: int
    stem_channels: int
    base_channels: int
    stride: ClassVar[int] = 32

    @property
    def depth(self) -> int:
        """Number of layers, as in the network's name."""
        return DEPTHS[self.bottleneck, self.num_blocks]

    @property
    def channels(self) -> int:
        """Channels of the last map (C5)."""
        return self.base_channels * 8 * (4 if self.bottleneck else 1)

    @property
    def summary(self) -> str:
        """One line for reports."""
        return (
            f'ResNet-{self.depth}, stem of {self.stem_channels} channels, stages of base width '
            f'{self.base_channels}, last map of {self.channels} channels'
        )

    @property
    def meta(self) -> dict[str, Any]:
        """Plain values for the metadata of written files."""
        return dict(
            depth=self.depth,
            in_channels=self.in_channels,
            stem_channels=self.stem_channels,
            base_channels=self.base_channels,
        )


class ResNet(Architecture[ResNetSpec]):
    """ResNet of 18, 34, 50, 101 or 152 layers with the stride in the 3 x 3 convolution (style 'pytorch').

    Old files have no `num_batches_tracked`; exports add zeros, which do not affect the features.
    """

    title = 'ResNet (18, 34, 50, 101 or 152 layers)'
    ignored_prefixes = ('fc.', 'head.')

    def expected_keys(self, state_dict: StateDict, key_style: str) -> list[str]:
        bottleneck, num_blocks = _block_counts(state_dict)
        shapes = resnet_shapes(ResNetSpec(bottleneck, num_blocks, in_channels=3, stem_channels=64, base_channels=64))
        return [key for key in shapes if key in state_dict or not key.endswith(_BATCH_COUNT)]

    def read_spec(
        self,
        state_dict: StateDict,
        key_style: str,
        source_keys: Mapping[str, str],
        meta: object,
        num_heads: int | None,
        patch_size: int | None,
    ) -> ResNetSpec:
        if num_heads is not None or patch_size is not None:
            raise NumHeadsError('--num-heads and --patch-size are for vision transformers; this is a ResNet')
        return read_resnet_spec(state_dict, source_keys, meta)

    def export(
        self, state_dict: StateDict, key_style: str, spec: ResNetSpec, target: str
    ) -> tuple[StateDict, dict[str, str | None]]:
        keys = resnet_shapes(spec)
        weights = {key: state_dict[key] if key in state_dict else torch.zeros((), dtype=torch.long) for key in keys}
        return weights, {key: key if key in state_dict else None for key in keys}

    def source_features(self, state_dict: StateDict, key_style: str, spec: ResNetSpec, target: str) -> FeatureFn:
        return lambda images: resnet_maps(state_dict, images, spec)

    def target_features(self, weights: StateDict, spec: ResNetSpec, target: str) -> FeatureFn:
        net = timm_resnet(spec) if target == 'timm' else openmmlab_resnet(spec, target)
        net.load_state_dict(weights, strict=True)
        if target == 'timm':
            return self.timm_features(net)
        net.double().eval()
        return lambda images: list(net(images))

    def timm_config(self, spec: ResNetSpec) -> dict[str, Any]:
        return dict(
            architecture=f'resnet{spec.depth}',
            model_args=dict(in_chans=spec.in_channels),
            num_features=spec.channels,
            input_size=(spec.in_channels, 224, 224),
            first_conv='conv1',
            classifier='fc',
        )

    def timm_features(self, net: Any) -> FeatureFn:  # noqa: ANN401  (a network of timm)
        net.double().eval()
        return lambda images: net.forward_intermediates(images, indices=[1, 2, 3, 4], intermediates_only=True)

    def onnx_model(self, weights: StateDict, spec: ResNetSpec) -> OnnxModel:
        net = openmmlab_resnet(spec, 'mmpretrain')
        net.load_state_dict(weights, strict=True)
        net.eval()
        return OnnxModel(net, ('c2', 'c3', 'c4', 'c5'), (64, 64), dynamic_size=True)

    def features_from_onnx(self, outputs: list[Tensor]) -> list[Tensor]:
        return outputs

    def verification_sizes(self, key_style: str, spec: ResNetSpec, target: str) -> list[tuple[int, int]]:
        return [(64, 64), (75, 106)]

    def build_encoder(self, state_dict: StateDict, key_style: str, spec: ResNetSpec) -> nn.Module:
        net = openmmlab_resnet(spec, 'mmpretrain', out_indices=(3,))
        net.load_state_dict(self.export(state_dict, key_style, spec, 'mmpretrain')[0], strict=True)
        net.eval()
        return net


def read_resnet_spec(state_dict: StateDict, source_keys: Mapping[str, str], meta: object) -> ResNetSpec:
    """Reads the spec of a ResNet off its weights and checks the shape of every tensor.

    Args:
        state_dict: Weights by torchvision's keys, complete except for `num_batches_tracked`.
        source_keys: Key in the file for each key, for messages.
        meta: Metadata of the checkpoint; the options of the backbone in its config are checked.

    Raises:
        UserError: If the depth, a shape or an option does not belong to a supported ResNet, or a weight is not finite.
    """
    stem, first = state_dict['conv1.weight'], state_dict['layer1.0.conv1.weight']
    for key, kernel in (('conv1.weight', stem), ('layer1.0.conv1.weight', first)):
        if kernel.ndim != 4:
            raise UserError(
                f'{source_keys[key]} has shape {tuple(kernel.shape)}, which is not that of a 2D convolution kernel'
            )
    bottleneck, num_blocks = _block_counts(state_dict)
    if (bottleneck, num_blocks) not in DEPTHS:
        raise UserError(
            f'{"-".join(map(str, num_blocks))} {"bottleneck" if bottleneck else "basic"} blocks per stage do not '
            f'belong to a supported ResNet ({", ".join(map(str, DEPTHS.values()))} layers)'
        )
    config = backbone_config(meta)
    for option, standard in _STANDARD_OPTIONS.items():
        if config.get(option) not in (None, standard):
            raise UserError(
                f"the config in the file's meta has backbone.{option}={config[option]}; only networks with "
                f'{option}={standard} give the same features in all packages'
            )
    spec = ResNetSpec(bottleneck, num_blocks, stem.shape[1], stem.shape[0], first.shape[0])
    net_name = f'ResNet-{spec.depth} of base width {spec.base_channels} (no other variant is supported)'
    check_weights(state_dict, resnet_shapes(spec), source_keys, net_name)
    return spec


def _block_counts(keys: Iterable[str]) -> tuple[bool, tuple[int, ...]]:
    """Returns whether the blocks are bottlenecks, and the number of blocks per stage, at least one."""
    keys = set(keys)
    matches = [match for match in (re.match(r'layer([1-4])\.(\d+)\.', key) for key in keys) if match]
    counts = tuple(count_blocks(match[2] for match in matches if match[1] == str(stage)) for stage in (1, 2, 3, 4))
    return 'layer1.0.conv3.weight' in keys, counts


def resnet_shapes(spec: ResNetSpec) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of all tensors of a ResNet by torchvision's keys."""
    shapes = _conv_norm_shapes('conv1', 'bn1', spec.in_channels, spec.stem_channels, 7)
    channels, expansion = spec.stem_channels, 4 if spec.bottleneck else 1
    for stage, num_blocks in enumerate(spec.num_blocks, start=1):
        width = spec.base_channels * 2 ** (stage - 1)
        out = width * expansion
        for index in range(num_blocks):
            block = f'layer{stage}.{index}.'
            if spec.bottleneck:
                convs = [(channels, width, 1), (width, width, 3), (width, out, 1)]
            else:
                convs = [(channels, width, 3), (width, width, 3)]
            for number, sizes in enumerate(convs, start=1):
                shapes |= _conv_norm_shapes(f'{block}conv{number}', f'{block}bn{number}', *sizes)
            if index == 0 and (stage > 1 or channels != out):
                shapes |= _conv_norm_shapes(f'{block}downsample.0', f'{block}downsample.1', channels, out, 1)
            channels = out
    return shapes


def _conv_norm_shapes(
    conv: str, norm: str, in_channels: int, out_channels: int, kernel: int
) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {f'{conv}.weight': (out_channels, in_channels, kernel, kernel)}
    for name in ('weight', 'bias', 'running_mean', 'running_var'):
        shapes[f'{norm}.{name}'] = (out_channels,)
    return {**shapes, f'{norm}.{_BATCH_COUNT}': ()}
