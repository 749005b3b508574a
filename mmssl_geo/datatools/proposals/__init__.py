"""Region proposals, made offline once for a data set (`mmssl_geo.datasets.regions_file` reads them in training)."""
from .filters import RegionFilter
from .maker import make_proposals
from .methods import AnnotationMethod, Found, GridMethod
from .search_process import SelectiveSearchMethod

__all__ = ['AnnotationMethod', 'Found', 'GridMethod', 'RegionFilter', 'SelectiveSearchMethod', 'make_proposals']
