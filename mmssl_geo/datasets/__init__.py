"""Datasets, samplers and transforms, registered in the scope `mmssl_geo`."""
from .image_list import ImageListDataset
from .samplers import EpochSampler
from .transforms import MultiCrop, PackViews, RandomQuarterTurns, RandomViewPhotometrics

__all__ = [
    'EpochSampler', 'ImageListDataset', 'MultiCrop', 'PackViews', 'RandomQuarterTurns', 'RandomViewPhotometrics'
]
