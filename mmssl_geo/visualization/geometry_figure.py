"""Bars of the geometric measures of several nets."""
from mmssl_geo.evaluation import MEASURES

from .measure_figure import measure_figure

# as `measure_figure` takes them; the hints say which way features are more sensitive
PANELS = (
    ('Rotation read-out', 'accuracy (%)', (('rotation_accuracy', ''), ), 'higher: the turn can be read'),
    ('Position read-out', 'error (sides of the view)', (('position_error', ''), ), 'lower: the place can be read'),
    ('Equivariance error', '0: as the image, 1: unrelated', (
        ('turn_equivariance_error', 'quarter turns'), ('crop_equivariance_error', 'crops')),
     'lower: features move with the image'),
    ('Patch correspondence', 'precision (%)', (('upright_precision', 'upright'), ('turned_precision', 'turned')),
     'higher: patches are found again'),
)


def geometry_figure(rows, title=''):
    """`measure_figure` of what `measure_geometry` returns for each net: `(name, {measure: Measured})`."""
    return measure_figure(rows, PANELS, MEASURES, title)
