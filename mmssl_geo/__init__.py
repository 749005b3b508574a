"""Geometry-sensitive self-supervised pretraining for OpenMMLab.

`mmssl_geo.geometry` needs torch and torchvision only. All other packages need those of OpenMMLab, whose versions
`mmssl_geo.registry` checks when it is imported.
"""

from typing import TYPE_CHECKING, Any

from .utils.versions import check_versions
from .version import __version__

if TYPE_CHECKING:
    from .apis import get_model

check_versions(['torch', 'torchvision'])

__all__ = ['__version__', 'get_model']


def __getattr__(name: str) -> Any:  # noqa: ANN401  (an attribute of any type)
    if name == 'get_model':  # imported on first use, because it needs mmengine and mmpretrain
        from .apis import get_model

        return get_model
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
