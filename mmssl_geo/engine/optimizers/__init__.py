from .decay_groups import DecayGroupsConstructor
from .optim_wrappers import PerTensorClipAmpOptimWrapper, PerTensorClipOptimWrapper

__all__ = ['DecayGroupsConstructor', 'PerTensorClipAmpOptimWrapper', 'PerTensorClipOptimWrapper']
