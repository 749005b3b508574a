"""Views made of other views."""

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from mmssl_geo.datasets.pipeline import Pipeline, Stage, build_pipeline
from mmssl_geo.registry import TRANSFORMS
from mmssl_geo.utils.errors import UserError

_MASKS = ('holes', 'context_mask', 'foreground')


@TRANSFORMS.register_module()
class DeriveView(BaseTransform):
    """Copies a view of `RegionViews`, optionally resizes the copy, and runs steps on it.

    A view's name is part of its random streams: two views derived with the same steps draw differently.

    Required key: `views`. Modified key: `views`, which gets the view `name`.

    Args:
        source: Name of the view to copy.
        name: Name of the new view.
        size: Side in pixels, resized bilinearly with antialiasing (PIL); None keeps it.
        steps: Transforms that work on a view (a dict with `img`, `regions`, ...), as a list or a dict of named steps.

    Raises:
        UserError: If the names are equal, there is no such view, or it is to be resized after something has been cut
            out of it.
    """

    stage = Stage.DERIVE

    def __init__(self, source: str, name: str, size: int | None = None, steps: Pipeline = ()) -> None:
        if name == source:
            raise UserError(f'DeriveView cannot replace its source "{source}": use AugmentView, or another name')
        self.source = source
        self.name = name
        self.size = size
        self.steps = build_pipeline(steps)

    def transform(self, results: dict) -> dict:
        views = results['views']
        if self.source not in views:
            raise UserError(
                f'DeriveView finds no view "{self.source}" to make "{self.name}" of: there are '
                f'{", ".join(views)}; correct its source, or place the step after the one that makes it'
            )
        view = {**views[self.source], 'name': self.name}
        if self.size:
            self._resize(view, self.size)
        views[self.name] = self.steps(view)
        return results

    def _resize(self, view: dict, size: int) -> None:
        if any(key in view for key in _MASKS):
            raise UserError(
                f'DeriveView cannot resize "{self.source}" to make "{self.name}", because the masks of its '
                'cut-outs would not fit: derive it from the clean view, and cut it then'
            )
        height, width = view['img'].shape[:2]
        view['img'] = np.array(Image.fromarray(view['img']).resize((size, size), Image.Resampling.BILINEAR))
        view['regions'] = view['regions'] * np.array([size / width, size / height] * 2, dtype=np.float32)


@TRANSFORMS.register_module()
class AugmentView(BaseTransform):
    """Runs steps on a view of `RegionViews`, after all views have been derived from it.

    Required and modified key: `views`.

    Args:
        view: Name of the view.
        steps: Transforms that work on a view, as in `DeriveView`.

    Raises:
        UserError: If there is no such view.
    """

    stage = Stage.REPLACE

    def __init__(self, view: str, steps: Pipeline) -> None:
        self.view = view
        self.steps = build_pipeline(steps)

    def transform(self, results: dict) -> dict:
        views = results['views']
        if self.view not in views:
            raise UserError(f'AugmentView finds no view "{self.view}": there are {", ".join(views)}')
        views[self.view] = self.steps(dict(views[self.view]))
        return results
