"""Datasets, samplers and transforms, registered in the scope `mmssl_geo`."""

from .image_list import ImageListDataset
from .inaturalist import INaturalist
from .pipeline import Stage, build_pipeline, pipeline_steps
from .samplers import EpochSampler
from .transforms import (
    AugmentView,
    ContextCrop,
    DeriveView,
    ForegroundShift,
    GridRegions,
    LoadRegions,
    MultiCrop,
    MultiViewPhotometricAugmentation,
    PackRegionViews,
    PackViews,
    PhotometricAugmentation,
    RandomHorizontalFlips,
    RandomQuarterTurns,
    RegionCutout,
    RegionViews,
    TokenCutout,
)

__all__ = [
    'AugmentView',
    'ContextCrop',
    'DeriveView',
    'EpochSampler',
    'ForegroundShift',
    'GridRegions',
    'INaturalist',
    'ImageListDataset',
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
    'Stage',
    'TokenCutout',
    'build_pipeline',
    'pipeline_steps',
]
