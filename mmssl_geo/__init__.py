"""Geometry-sensitive self-supervised pretraining for OpenMMLab.

`mmssl_geo.geometry` needs torch and torchvision only. Everything else is reached through `mmssl_geo.registry`,
which checks the OpenMMLab packages when it is imported, or through `mmssl_geo.get_model`.
"""
from .utils.versions import check_stack
from .version import __version__

check_stack(required=('torch', 'torchvision'))

__all__ = ['__version__', 'get_model']


def __getattr__(name):
    if name == 'get_model':  # imported when it is asked for: it needs mmengine and mmpretrain
        from .apis import get_model
        return get_model
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
