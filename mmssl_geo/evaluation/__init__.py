"""Measures on frozen features. `docs/measures.md` defines them."""
from .collapse import effective_rank, feature_spread
from .geometry.correspondence import correspondence_precision
from .geometry.equivariance import crop_equivariance_error, equivariance_error, turn_equivariance_error, unit_cells
from .geometry.linear_probes import position_readout, rotation_readout
from .geometry.measures import MEASURES, Measured, format_measured, markdown_table, measure_geometry, split_images
from .geometry.views import GeometryFeatures, GeometryViews, extract_features, make_views
from .linear_probe import LinearProbe, fit_logistic, fit_ridge

__all__ = [
    'MEASURES', 'GeometryFeatures', 'GeometryViews', 'LinearProbe', 'Measured', 'correspondence_precision',
    'crop_equivariance_error', 'effective_rank', 'equivariance_error', 'extract_features', 'feature_spread',
    'fit_logistic', 'fit_ridge', 'format_measured', 'make_views', 'markdown_table', 'measure_geometry',
    'position_readout', 'rotation_readout', 'split_images', 'turn_equivariance_error', 'unit_cells'
]
