"""Layer-wise learning rates for models of any OpenMMLab package."""

from collections.abc import Callable
from functools import partial
from typing import Any

from mmpretrain.engine.optimizers import LearningRateDecayOptimWrapperConstructor

from mmssl_geo.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayConstructor(LearningRateDecayOptimWrapperConstructor):
    """mmpretrain's layer decay with the layer depths of the backbone, which detectors and segmenters do not provide.

    With n blocks, block i (from 0) has the learning rate `rate ** (n - i)` times the base rate, embeddings
    `rate ** (n + 1)`, and everything after the blocks the base rate (BEiT's rule, used by iBOT). mmdet's own
    constructor supports ConvNeXt only; mmseg's depends on class names.

    Args:
        paramwise_cfg: As in mmpretrain: `layer_decay_rate`, `norm_decay_mult`, `bias_decay_mult`, ...
    """

    def add_params(
        self,
        params: list[dict[str, Any]],
        module: Any,  # noqa: ANN401  (a model with a `backbone`, or one of its modules)
        prefix: str = '',
        get_layer_depth: Callable[..., tuple[int, int]] | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Adds the parameters of `module`; the first call, without `get_layer_depth`, is for the whole model."""
        if get_layer_depth is None:
            get_layer_depth = partial(module.backbone.get_layer_depth, prefix='backbone.')
        super().add_params(params, module, prefix=prefix, get_layer_depth=get_layer_depth, **kwargs)
