"""Datasets, samplers and transforms, registered in the scope `mmssl_geo`."""
from .image_list import ImageListDataset, pipeline_steps
from .samplers import EpochSampler
from .transforms import MultiCrop, PackViews, RandomQuarterTurns, RandomViewPhotometrics

__all__ = [
    'EpochSampler', 'ImageListDataset', 'MultiCrop', 'PackViews', 'RandomQuarterTurns', 'RandomViewPhotometrics',
    'pipeline_steps'
]
