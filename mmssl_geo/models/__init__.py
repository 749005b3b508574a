"""Models, registered in the scope `mmssl_geo`.

A new loss, head, neck, backbone or method is a module that its package's `__init__` imports and lists in `__all__`;
this file collects the lists.
"""

from mmssl_geo.utils.versions import check_versions

check_versions(['mmpretrain'])

from . import backbones, data_preprocessors, heads, losses, necks, selfsup, test_time_augs  # noqa: E402
from .backbones import *  # noqa: E402, F403
from .data_preprocessors import *  # noqa: E402, F403
from .heads import *  # noqa: E402, F403
from .losses import *  # noqa: E402, F403
from .necks import *  # noqa: E402, F403
from .selfsup import *  # noqa: E402, F403
from .test_time_augs import *  # noqa: E402, F403

__all__ = [
    *backbones.__all__,
    *data_preprocessors.__all__,
    *heads.__all__,
    *losses.__all__,
    *necks.__all__,
    *selfsup.__all__,
    *test_time_augs.__all__,
]
