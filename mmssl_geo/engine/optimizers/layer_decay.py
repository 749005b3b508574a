"""Layer-wise learning rates in models of any package."""
from functools import partial

from mmpretrain.engine.optimizers import LearningRateDecayOptimWrapperConstructor

from mmssl_geo.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayConstructor(LearningRateDecayOptimWrapperConstructor):
    """mmpretrain's layer decay, asking the backbone for depths, because detectors and segmenters do not know them.

    With n blocks, block i (from 0) learns at `rate ** (n - i)` of the base rate, embeddings at `rate ** (n + 1)`, and
    everything behind the blocks at the base rate (BEiT's rule, which iBOT follows). mmdet's own constructor knows
    ConvNeXt only, mmseg's goes by class names.

    Args:
        paramwise_cfg: as of mmpretrain's: `layer_decay_rate`, `norm_decay_mult`, `bias_decay_mult`, ...
    """

    def add_params(self, params, module, prefix='', get_layer_depth=None, **kwargs):
        """Adds the parameters of `module`; the first call is with the whole model, whose backbone is asked."""
        if get_layer_depth is None:
            get_layer_depth = partial(module.backbone.get_layer_depth, prefix='backbone.')
        super().add_params(params, module, prefix=prefix, get_layer_depth=get_layer_depth, **kwargs)
