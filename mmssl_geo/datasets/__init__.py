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
    PackRegionViews,
    PackViews,
    RandomHorizontalFlips,
    RandomQuarterTurns,
    RandomViewPhotometrics,
    RegionCutout,
    RegionViews,
    TokenCutout,
    ViewPhotometrics,
)

__all__ = [
    'AugmentView', 'ContextCrop', 'DeriveView', 'EpochSampler', 'ForegroundShift', 'GridRegions', 'INaturalist',
    'ImageListDataset', 'LoadRegions', 'MultiCrop', 'PackRegionViews', 'PackViews', 'RandomHorizontalFlips',
    'RandomQuarterTurns', 'RandomViewPhotometrics', 'RegionCutout', 'RegionViews', 'TokenCutout', 'ViewPhotometrics',
    'Stage', 'build_pipeline', 'pipeline_steps'
]
