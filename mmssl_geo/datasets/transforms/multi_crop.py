"""Cuts the views out of an image and keeps their records."""
import torch
from mmcv.transforms import BaseTransform
from PIL import Image

from mmssl_geo.errors import UserError
from mmssl_geo.geometry import CropGroup, sample_crops
from mmssl_geo.registry import TRANSFORMS
from mmssl_geo.structures import ViewRecord

from .view_random import stream_seed


@TRANSFORMS.register_module()
class MultiCrop(BaseTransform):
    """Random crops of two kinds, resized with antialiasing (PIL), each with its `ViewRecord`.

    Required keys: `img` (H, W, 3 RGB uint8), `seed`, `epoch`, `sample_idx`.
    Added keys: `views`, a list of `(PIL image, ViewRecord)`, global views first.

    The defaults are those of GTSA's official code.

    Args:
        global_size, local_size: side of the square views in pixels.
        num_global, num_local: views of each kind.
        global_scale, local_scale: smallest and largest crop area as a share of the image's.
        ratio: smallest and largest crop width / height.
        min_overlap: share of the image's area that a crop must have in common with every global crop before it;
            twice as much between global crops. None: crops are drawn independently, `max_draws` has no meaning.
        max_draws: draws of a crop before the fallback of `mmssl_geo.geometry.sample_crops`.
        interpolation: of the resizing, as PIL names it ('bilinear', 'bicubic', ...).

    Raises:
        UserError: if a setting is impossible.
    """

    def __init__(self, global_size=224, num_global=2, global_scale=(0.3, 1.0), local_size=96, num_local=8,
                 local_scale=(0.1, 0.3), ratio=(3 / 4, 4 / 3), min_overlap=0.01, max_draws=40,
                 interpolation='bilinear'):
        self.min_overlap = min_overlap
        self.max_draws = max_draws
        try:
            self.groups = (CropGroup(num_global, global_scale, ratio), CropGroup(num_local, local_scale, ratio))
            self._sample([[8, 8]], torch.Generator().manual_seed(0))
        except (TypeError, ValueError) as error:
            raise UserError(f'MultiCrop cannot make such crops: {error}') from error
        if num_global + num_local < 2:
            raise UserError('MultiCrop must make at least two views: raise num_global or num_local')
        for name, size in (('global_size', global_size), ('local_size', local_size)):
            if not isinstance(size, int) or size < 1:
                raise UserError(f'MultiCrop.{name} must be a positive whole number of pixels, got {size!r}')
        if interpolation.upper() not in Image.Resampling.__members__:
            names = ', '.join(name.lower() for name in Image.Resampling.__members__)
            raise UserError(f'MultiCrop.interpolation must be one of {names}, got {interpolation!r}')
        self.interpolation = Image.Resampling[interpolation.upper()]
        self.sizes = [global_size] * num_global + [local_size] * num_local

    def _sample(self, image_sizes, generator):
        return sample_crops(torch.tensor(image_sizes), *self.groups, generator, self.min_overlap, self.max_draws)

    def transform(self, results):
        image = Image.fromarray(results['img'])
        generator = torch.Generator().manual_seed(stream_seed(results, 'crops') >> 1)
        boxes_src = self._sample([[image.height, image.width]], generator)[0].tolist()
        results['views'] = []
        for number, (box_src, size) in enumerate(zip(boxes_src, self.sizes, strict=True)):
            view = image.crop([int(c) for c in box_src]).resize((size, size), self.interpolation)
            record = ViewRecord(tuple(box_src), (size, size), turn=0, is_global=number < self.groups[0].num)
            results['views'].append((view, record))
        return results
