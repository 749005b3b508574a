"""ResNet of mmpretrain with strict loading, and its parts before and after RoI pooling on C4."""

import math
from collections.abc import Mapping
from typing import Any

from mmpretrain.models import ResNet
from torch import Tensor, nn

from mmssl_geo.registry import MODELS

from .strict_init import StrictInitMixin

PARTS = ('stem', 'conv1', 'bn1', 'layer1', 'layer2', 'layer3', 'layer4')
STEM_STRIDE = 4
NUM_C4_STAGES = 3


@MODELS.register_module()
class SSLResNet(StrictInitMixin, ResNet):
    """ResNet with strict loading that can be split at C4 to pool regions there.

    Network, arguments, outputs and initialisation (Kaiming, last norm of every block 0) are those of
    `mmpretrain.ResNet`. Meets the contracts `Backbone` and `RegionBackbone`.

    Args:
        depth: Number of layers: 18, 34, 50, 101 or 152.
        init_cfg: See `StrictInitMixin.set_pretrained`. Stages of the file that this network does not have
            (`num_stages=3`) are ignored.
        **kwargs: Further arguments of `mmpretrain.ResNet`.

    Raises:
        UserError: If `init_cfg` has another type.
    """

    has_cls_token = False
    num_extra_tokens = 0
    mismatch_advice = (
        'Export it for this model: `python tools/convert_checkpoint.py {source} OUT.pth --to mmpretrain` (for a ResNet '
        'the same as `--to mmdet` and `--to mmseg`), and compare `depth`, `base_channels` and `stem_channels` of the '
        'config with what was pretrained.'
    )

    def __init__(self, depth: int, init_cfg: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(depth, **kwargs)
        self.set_pretrained(init_cfg)

    @property
    def feature_stride(self) -> int:
        """Pixels of a view per cell of the last stage's map."""
        return STEM_STRIDE * math.prod(self.strides)

    @property
    def feature_channels(self) -> int:
        """Channels of the last stage's map."""
        return self.feat_dim

    @property
    def region_stride(self) -> int:
        """Pixels of a view per cell of the C4 maps."""
        return STEM_STRIDE * math.prod(self.strides[:NUM_C4_STAGES])

    def region_maps(self, images: Tensor) -> Tensor:
        """Returns the C4 maps to pool regions from, shape (N, C, h, w)."""
        maps = self.stem(images) if self.deep_stem else self.relu(self.norm1(self.conv1(images)))
        maps = self.maxpool(maps)
        for name in self.res_layers[:NUM_C4_STAGES]:
            maps = getattr(self, name)(maps)
        return maps

    def region_vectors(self, patches: Tensor) -> Tensor:
        """Applies the last stage (res5) to pooled patches and averages: (M, C, s, s) -> (M, D); SoCo's code."""
        return self.layer4(patches).mean(dim=(2, 3))

    def select_weights(self, weights: dict[str, Tensor], source: str) -> dict[str, Tensor]:
        """Leaves out the stages that this network does not have; unknown parts stay and are refused."""
        own_parts = dict(self.named_children())
        return {
            key: value
            for key, value in weights.items()
            if key.split('.')[0] in own_parts or key.split('.')[0] not in PARTS
        }

    def required_weights(self) -> dict[str, Tensor]:
        """Returns the tensors of the ResNet itself, without an extra norm."""
        return {key: value for key, value in self.state_dict().items() if key.split('.')[0] in PARTS}


@MODELS.register_module()
class SSLRes5(SSLResNet):
    """The last stage of an `SSLResNet` alone: the shared head of mmdet's R50-C4 detectors.

    Args:
        depth: Number of layers of the whole network.
        init_cfg: As for `SSLResNet`; of the file, only the last stage is loaded, strictly.
        extra_norm: Whether a BatchNorm follows the stage; it is new and not loaded (MoCo's and SoCo's code).
        **kwargs: As for `SSLResNet`.
    """

    part_name = 'res5'

    def __init__(
        self, depth: int, init_cfg: Mapping[str, Any] | None = None, extra_norm: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(depth, init_cfg=init_cfg, **kwargs)
        for part in PARTS[:-1]:
            if hasattr(self, part):
                delattr(self, part)
        self.norm = nn.BatchNorm2d(self.feat_dim) if extra_norm else nn.Identity()

    def forward(self, patches: Tensor) -> Tensor:
        """Maps pooled patches (M, C, s, s) to (M, D, s / 2, s / 2)."""
        return self.norm(self.layer4(patches))
