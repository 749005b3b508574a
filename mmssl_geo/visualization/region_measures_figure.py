"""Bars of the region measures of several nets."""
from mmssl_geo.evaluation.regions.measures import REGION_MEASURES

from .measure_figure import measure_figure

# as `measure_figure` takes them
PANELS = (
    ('Coupling', '0: independent, 1: unrelated', (('coupling', ''), ), 'lower: the surroundings count less'),
    ('Positional bias, shift', '0: same, 1: unrelated', (('shift_bias', ''), ), 'lower: the place counts less'),
    ('Region position', 'error (sides of the view)', (('region_position_error', ''), ),
     'lower: the place can be read'),
    ('O-KNN', 'accuracy (%)', (('object_knn', ''), ), 'higher: classes of objects lie together'),
)


def region_measures_figure(rows, title=''):
    """`measure_figure` of what `measure_regions` returns for each net: `(name, {measure: Measured})`."""
    return measure_figure(rows, PANELS, REGION_MEASURES, title)
