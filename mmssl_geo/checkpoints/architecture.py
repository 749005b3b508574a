"""What conversion needs from an architecture; `ViT` and `ResNet` implement it."""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from mmssl_geo.checkpoints.formats.onnx import OnnxModel
from mmssl_geo.utils.errors import UserError

StateDict = dict[str, Tensor]
FeatureFn = Callable[[Tensor], list[Tensor]]
"""Function from images, shape (B, C, H, W), to feature tensors."""


FLOAT_TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class NumHeadsError(UserError):
    """The number of attention heads is unknown, contradicts the file, or is given for another architecture."""


class ArchSpec(Protocol):
    """Shape of a network, as read from its weights: `ViTSpec` or `ResNetSpec`."""

    @property
    def in_channels(self) -> int:
        """Channels of the images."""

    @property
    def stride(self) -> int:
        """Image pixels per cell of the last feature map."""

    @property
    def channels(self) -> int:
        """Channels of the last feature map."""

    @property
    def summary(self) -> str:
        """One line for reports."""

    @property
    def meta(self) -> dict[str, Any]:
        """Plain values for the metadata of written files."""


SpecT = TypeVar('SpecT', bound=ArchSpec)


class Architecture(ABC, Generic[SpecT]):
    """An architecture that the converter supports.

    In all methods, `state_dict` holds the weights of one encoder by their keys in the source file without prefix, and
    `key_style` names the package whose keys these are.

    Attributes:
        title: Name of the architecture in messages, with its limits.
        ignored_prefixes: Prefixes of keys that come with encoders but do not belong to them.
    """

    title: str
    ignored_prefixes: tuple[str, ...]

    @abstractmethod
    def expected_keys(self, state_dict: StateDict, key_style: str) -> list[str]:
        """Returns all keys of a network with as many blocks as `state_dict`, in the same order for all key styles."""

    @abstractmethod
    def read_spec(
        self,
        state_dict: StateDict,
        key_style: str,
        source_keys: Mapping[str, str],
        meta: object,
        num_heads: int | None,
        patch_size: int | None,
    ) -> SpecT:
        """Reads the spec off the weights and checks every weight.

        Args:
            state_dict: Weights with exactly the keys of `expected_keys`.
            key_style: Package whose keys these are.
            source_keys: Key in the file for each key, for messages.
            meta: Metadata of the checkpoint, of any form.
            num_heads: Number of attention heads that the user gave, or None.
            patch_size: Patch size that the user gave, or None.

        Raises:
            UserError: If a shape does not fit, a weight is not finite, or an option of the user does not fit.
        """

    @abstractmethod
    def export(
        self, state_dict: StateDict, key_style: str, spec: SpecT, target: str
    ) -> tuple[StateDict, dict[str, str | None]]:
        """Converts weights for a package.

        Returns:
            Weights by the package's keys, and the key in `state_dict` for each of them (None for an added tensor).

        Raises:
            UserError: If the package needs a weight that the source does not have.
        """

    @abstractmethod
    def source_features(self, state_dict: StateDict, key_style: str, spec: SpecT, target: str) -> FeatureFn:
        """Returns the features of the source, computed from its weights without conversion."""

    @abstractmethod
    def target_features(self, weights: StateDict, spec: SpecT, target: str) -> FeatureFn:
        """Returns the features of the package's own class, with strictly loaded weights, in float64."""

    @abstractmethod
    def timm_config(self, spec: SpecT) -> dict[str, Any]:
        """Returns what `formats.hub.write_hub_folder` needs to know about the network."""

    @abstractmethod
    def timm_features(self, net: nn.Module) -> FeatureFn:
        """Returns the features of a network of timm, in float64."""

    @abstractmethod
    def onnx_model(self, weights: StateDict, spec: SpecT) -> OnnxModel:
        """Builds the model for an ONNX file from weights that were exported for it."""

    @abstractmethod
    def features_from_onnx(self, outputs: list[Tensor]) -> list[Tensor]:
        """Converts the outputs of an ONNX file to the features that `source_features` gives."""

    @abstractmethod
    def verification_sizes(self, key_style: str, spec: SpecT, target: str) -> list[tuple[int, int]]:
        """Returns the image sizes (height, width) in pixels at which source and target must give equal features."""

    @abstractmethod
    def build_encoder(self, state_dict: StateDict, key_style: str, spec: SpecT) -> nn.Module:
        """Builds mmpretrain's backbone with these weights, float32, whose last output is the feature map."""


def check_weights(
    state_dict: StateDict, shapes: Mapping[str, tuple[int, ...]], source_keys: Mapping[str, str], net_name: str
) -> None:
    """Checks that every tensor has its shape and finite floating-point values, and that variances are not negative.

    Args:
        state_dict: Tensors by key.
        shapes: Expected shape for each key.
        source_keys: Key in the file for each key, for messages.
        net_name: The network, for messages.

    Raises:
        UserError: Names the first tensor that fails.
    """
    for key, value in state_dict.items():
        name = source_keys[key]
        if tuple(value.shape) != shapes[key]:
            raise UserError(f'{name} has shape {tuple(value.shape)}, but a {net_name} needs {shapes[key]}')
        if key.endswith('num_batches_tracked'):
            continue
        if not value.is_floating_point():
            raise UserError(
                f'{name} has dtype {value.dtype}, not a floating-point type: use the checkpoint from before its '
                'quantisation'
            )
        if value.is_sparse or value.dtype not in FLOAT_TYPES:
            raise UserError(f'{name} has dtype {value.dtype}, {value.layout}; save dense float32, float16 or bfloat16')
        if not torch.isfinite(value).all():
            raise UserError(
                f'{name} has values that are not finite (NaN or Inf), so the training diverged: use an earlier '
                'checkpoint'
            )
        if key.endswith('running_var') and (value < 0).any():
            raise UserError(f'{name} has negative variances, so the file is damaged: use another checkpoint')


def count_blocks(indices: Iterable[str]) -> int:
    """Returns one more than the highest block index of some keys; at least 1.

    An index above the number of keys belongs to no complete network, and must not make a long list of missing keys.
    """
    numbers = [int(index) if len(index) < 7 else 10**7 for index in indices]
    return min(max(numbers, default=0), len(numbers)) + 1


def import_class(module: str, name: str) -> Any:  # noqa: ANN401  (a class or function of an untyped package)
    """Imports a class of a package that may be missing.

    Raises:
        UserError: If the package is not installed.
    """
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise UserError(f'the comparison of features needs {error.name}, which is not installed') from error
