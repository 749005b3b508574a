"""Geometric sensitivity of frozen features: linear probes, equivariance and patch correspondence."""

from .correspondence import correspondence_precision
from .equivariance import crop_equivariance_error, equivariance_error, rotation_equivariance_error
from .linear_probes import position_probe, rotation_probe
from .measures import GEOMETRY_MEASURES, measure_geometry
from .views import GeometryFeatures, GeometryViews, extract_features, make_views

__all__ = [
    'GEOMETRY_MEASURES',
    'GeometryFeatures',
    'GeometryViews',
    'correspondence_precision',
    'crop_equivariance_error',
    'equivariance_error',
    'extract_features',
    'make_views',
    'measure_geometry',
    'position_probe',
    'rotation_equivariance_error',
    'rotation_probe',
]
