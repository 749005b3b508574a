"""Geometry-sensitive self-supervised pretraining for OpenMMLab.

`mmssl_geo.geometry` needs torch and torchvision only. Everything else is reached through `mmssl_geo.registry`,
which checks the OpenMMLab packages when it is imported.
"""
from .stack import check_stack
from .version import __version__

check_stack(required=('torch', 'torchvision'))

__all__ = ['__version__']
