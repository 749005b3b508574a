"""Figures of views, features and runs: pure functions from arrays and results to figures."""

from .feature_colours import pca_colours
from .region_figure import region_figure
from .report import report_figure
from .scalars import read_scalars
from .view_figure import view_figure
from .view_pairs import ViewPair, view_pairs, view_title

__all__ = [
    'ViewPair',
    'pca_colours',
    'read_scalars',
    'region_figure',
    'report_figure',
    'view_figure',
    'view_pairs',
    'view_title',
]
