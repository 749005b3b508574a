"""Region features of frozen nets: dependence on surroundings and position, and object k-NN."""

from .images import RegionImages, collect_region_images
from .measures import REGION_MEASURES, measure_regions
from .pastes import RegionFeatures, RegionPastes, extract_region_features, sample_pastes
from .source import RegionSource

__all__ = [
    'REGION_MEASURES',
    'RegionFeatures',
    'RegionImages',
    'RegionPastes',
    'RegionSource',
    'collect_region_images',
    'extract_region_features',
    'measure_regions',
    'sample_pastes',
]
