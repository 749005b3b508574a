from .decay_groups import DecayGroupsConstructor
from .layer_decay import LayerDecayConstructor
from .optim_wrappers import PerTensorClipAmpOptimWrapper, PerTensorClipOptimWrapper, PortableAmpOptimWrapper

__all__ = [
    'DecayGroupsConstructor',
    'LayerDecayConstructor',
    'PerTensorClipAmpOptimWrapper',
    'PerTensorClipOptimWrapper',
    'PortableAmpOptimWrapper',
]
