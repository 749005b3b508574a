"""Region proposals, computed offline once per data set; `mmssl_geo.datasets.regions_file` reads them in training."""

from .filters import RegionFilter
from .maker import make_proposals
from .methods import AnnotationMethod, GridMethod, Proposals
from .search_process import SelectiveSearchMethod

__all__ = ['AnnotationMethod', 'GridMethod', 'Proposals', 'RegionFilter', 'SelectiveSearchMethod', 'make_proposals']
