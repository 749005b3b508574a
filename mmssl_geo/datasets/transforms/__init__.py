"""Transforms of pipelines, registered in the scope `mmssl_geo`; each declares its `Stage` in a dict of named steps."""

from .derive_view import AugmentView, DeriveView
from .load_regions import GridRegions, LoadRegions
from .multi_crop import MultiCrop
from .packing import PackRegionViews, PackViews
from .photometric import MultiViewPhotometricAugmentation, PhotometricAugmentation
from .region_augmentations import ContextCrop, ForegroundShift, RegionCutout, TokenCutout
from .region_views import RegionViews
from .view_augmentations import RandomHorizontalFlips, RandomQuarterTurns

__all__ = [
    'AugmentView',
    'ContextCrop',
    'DeriveView',
    'ForegroundShift',
    'GridRegions',
    'LoadRegions',
    'MultiCrop',
    'MultiViewPhotometricAugmentation',
    'PackRegionViews',
    'PackViews',
    'PhotometricAugmentation',
    'RandomHorizontalFlips',
    'RandomQuarterTurns',
    'RegionCutout',
    'RegionViews',
    'TokenCutout',
]
