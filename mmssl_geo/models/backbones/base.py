"""The contract that a backbone has to meet."""

from typing import Any, Protocol

from torch import Tensor, nn


class Backbone(Protocol):
    """Contract of the backbones that `StudentTeacher` methods train.

    `SSLVisionTransformer` and `SSLResNet` implement it. A new backbone is a registered `nn.Module` with these
    attributes; `StrictInitMixin` adds strict loading. If its config has a `drop_path_rate`, the teacher gets 0. The
    converter, and the tools that read checkpoints, also need an `Architecture` (`mmssl_geo.checkpoints.architecture`).

    Attributes:
        feature_stride: Pixels of a view per cell of the last feature map.
        feature_channels: Channels of the last feature map.
        has_cls_token: Whether the backbone has a [CLS] token.
        num_extra_tokens: Number of tokens in front of the patch tokens, [CLS] among them.
    """

    @property
    def feature_stride(self) -> int: ...

    @property
    def feature_channels(self) -> int: ...

    @property
    def has_cls_token(self) -> bool: ...

    num_extra_tokens: int

    def __call__(self, images: Tensor) -> tuple[Tensor, ...]:
        """Returns one output per out index for images of shape (N, 3, H, W), the deepest last."""


class RegionBackbone(Backbone, Protocol):
    """Contract of the backbones that `D3SSL` pools regions from.

    Attributes:
        region_stride: Pixels of a view per cell of the maps that regions are pooled from.
    """

    @property
    def region_stride(self) -> int: ...

    def region_maps(self, images: Tensor) -> Tensor:
        """Returns the maps to pool regions from, shape (N, C, h, w), of images of shape (N, 3, H, W)."""

    def region_vectors(self, patches: Tensor) -> Tensor:
        """Returns one vector per pooled patch: shape (M, C, s, s) -> (M, `feature_channels`)."""


def has_cls_token(backbone: nn.Module) -> bool:
    """Returns whether a backbone of this package or of mmpretrain has a [CLS] token."""
    return getattr(backbone, 'has_cls_token', getattr(backbone, 'cls_token', None) is not None)


def arch_of(backbone: Any) -> dict[str, int | None]:  # noqa: ANN401, attributes of mmpretrain's classes
    """Describes a backbone of this package or of mmpretrain by the keys of a converted checkpoint's `meta`.

    Returns:
        `embed_dims`, `num_layers`, `num_heads` and `patch_size` of a vision transformer, `depth` of a ResNet.
    """
    if hasattr(backbone, 'cls_token') and hasattr(backbone, 'layers'):
        return dict(
            embed_dims=backbone.embed_dims,
            num_layers=backbone.num_layers,
            num_heads=backbone.layers[0].attn.num_heads,
            patch_size=backbone.patch_embed.projection.kernel_size[0],
        )
    return dict(depth=getattr(backbone, 'depth', None))
