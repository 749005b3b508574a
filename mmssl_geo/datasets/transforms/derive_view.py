"""One view made of another."""
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import Compose
from PIL import Image

from mmssl_geo.datasets.pipeline import pipeline_steps
from mmssl_geo.registry import TRANSFORMS
from mmssl_geo.utils.errors import UserError

_MASKS = ('holes', 'context_mask', 'foreground')


@TRANSFORMS.register_module()
class DeriveView(BaseTransform):
    """Copies a view of `RegionViews`, resizes it if asked, and runs steps on the copy.

    A view's name is part of its random streams: two views derived alike draw differently. If `name` is that of the
    source, the view is replaced.

    Required key: `views`. Modified key: `views`, which gets the view `name`.

    Args:
        source: name of the view that is copied.
        name: name of the new view.
        size: side in pixels, resized bilinearly with antialiasing (PIL); None keeps it.
        steps: transforms that work on a view (a dict with `img`, `regions`, ...), as a list or a dict of named steps.

    Raises:
        UserError: if there is no such view, or it is to be resized after something has been cut out of it.
    """

    def __init__(self, source, name, size=None, steps=()):
        self.source = source
        self.name = name
        self.size = size
        self.steps = Compose(
            [TRANSFORMS.build(step) if isinstance(step, dict) else step for step in pipeline_steps(steps)])

    def transform(self, results):
        if self.source not in results['views']:
            raise UserError(f'DeriveView finds no view "{self.source}" to make "{self.name}" of: there are '
                            f'{", ".join(results["views"])}')
        view = {**results['views'][self.source], 'name': self.name}
        if self.size:
            self._resize(view)
        results['views'][self.name] = self.steps(view)
        return results

    def _resize(self, view):
        if any(key in view for key in _MASKS):
            raise UserError(f'DeriveView cannot resize "{self.source}" to make "{self.name}": its masks would not fit '
                            'any more; derive from the clean view, and cut then')
        height, width = view['img'].shape[:2]
        image = Image.fromarray(view['img']).resize((self.size, self.size), Image.Resampling.BILINEAR)
        view['img'] = np.array(image)
        scale = np.array([self.size / width, self.size / height] * 2, dtype=np.float32)
        view['regions'] = view['regions'] * scale
