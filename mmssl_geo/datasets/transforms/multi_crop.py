"""Cuts the views out of an image and records where they lie."""

import random

import numpy as np
import torch
import torch.nn.functional as F
from mmcv.transforms import BaseTransform
from torch import Tensor

from mmssl_geo.datasets.pipeline import Stage
from mmssl_geo.geometry import CropGroup, sample_crops
from mmssl_geo.geometry.crops import Crop
from mmssl_geo.registry import TRANSFORMS
from mmssl_geo.structures import ViewRecord
from mmssl_geo.utils.checks import check_counts
from mmssl_geo.utils.errors import UserError

from .random_streams import stream_seed

INTERPOLATIONS = ('bilinear', 'bicubic')
REDUCTION_MARGIN = 1.25


@TRANSFORMS.register_module()
class MultiCrop(BaseTransform):
    """Random global and local crops, resized with antialiasing (torch's, in 8 bits), each with its `ViewRecord`.

    Required keys: `img` (H, W, 3 RGB uint8), `seed`, `epoch`, `sample_idx`.
    Added key: `views`, a list of pairs of an image, uint8, shape (S, S, 3), and its `ViewRecord`, global views first.

    The defaults are those of GTSA's official code.

    Args:
        global_size: Side of the square global views in pixels.
        num_global: Number of global views.
        global_scale: Smallest and largest area of a global crop as a share of the image's.
        local_size: Side of the square local views in pixels.
        num_local: Number of local views.
        local_scale: Smallest and largest area of a local crop as a share of the image's.
        ratio: Smallest and largest width / height of a crop.
        min_overlap: Share of the image's area that a crop must have in common with every earlier global crop; twice as
            much between global crops. None samples all crops independently and ignores `max_draws`.
        max_draws: Attempts per crop before the fallback of `mmssl_geo.geometry.sample_crops`.
        interpolation: Interpolation of the resizing, 'bilinear' or 'bicubic'.

    Raises:
        UserError: If a setting is impossible.
    """

    stage = Stage.CROP

    def __init__(
        self,
        global_size: int = 224,
        num_global: int = 2,
        global_scale: tuple[float, float] = (0.3, 1.0),
        local_size: int = 96,
        num_local: int = 8,
        local_scale: tuple[float, float] = (0.1, 0.3),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        min_overlap: float | None = 0.01,
        max_draws: int = 40,
        interpolation: str = 'bilinear',
    ) -> None:
        check_counts('MultiCrop', at_least=0, num_global=num_global, num_local=num_local)
        self.min_overlap = min_overlap
        self.max_draws = max_draws
        try:
            self.groups = (CropGroup(num_global, global_scale, ratio), CropGroup(num_local, local_scale, ratio))
            self._sample((8, 8), random.Random(0))
        except (TypeError, ValueError) as error:
            raise UserError(f'MultiCrop cannot make such crops: {error}') from error
        if num_global + num_local < 2:
            raise UserError('MultiCrop must make at least two views: raise num_global or num_local')
        for name, size in (('global_size', global_size), ('local_size', local_size)):
            if not isinstance(size, int) or size < 1:
                raise UserError(f'MultiCrop.{name} must be a positive whole number of pixels, got {size!r}')
        if interpolation not in INTERPOLATIONS:
            raise UserError(f'MultiCrop.interpolation must be {" or ".join(INTERPOLATIONS)}, got {interpolation!r}')
        self.interpolation = interpolation
        self.sizes = [global_size] * num_global + [local_size] * num_local

    def __repr__(self) -> str:
        return f'MultiCrop(groups={self.groups}, sizes={self.sizes})'

    def largest_reduction(self, height: int, width: int) -> int:
        """Returns the factor (8, 4, 2 or 1) by which an image may be reduced without enlarging any crop afterwards.

        A margin of `REDUCTION_MARGIN` is kept, so that the resize still averages (our choice).
        """
        shrinkage = []
        for group, size in zip(self.groups, (self.sizes[0], self.sizes[-1]), strict=True):
            if group.num:
                flattest = min(group.ratio[0], 1 / group.ratio[1])
                side = min((height * width * group.scale[0] * flattest) ** 0.5, height, width)
                shrinkage.append(side / size)
        return next((factor for factor in (8, 4, 2) if min(shrinkage) >= REDUCTION_MARGIN * factor), 1)

    def transform(self, results: dict) -> dict:
        image = torch.from_numpy(results['img']).permute(2, 0, 1)[None]
        boxes_src = self._sample(results['img'].shape[:2], random.Random(stream_seed(results, 'crops')))
        results['views'] = [
            (
                self._cut(image, box_src, size),
                ViewRecord(box_src, (size, size), turn=0, is_global=number < self.groups[0].num),
            )
            for number, (box_src, size) in enumerate(zip(boxes_src, self.sizes, strict=True))
        ]
        return results

    def _sample(self, image_size: tuple[int, int], rng: random.Random) -> list[Crop]:
        return sample_crops(image_size, *self.groups, rng, self.min_overlap, self.max_draws)

    def _cut(self, image: Tensor, box_src: Crop, size: int) -> np.ndarray:
        """Cuts a crop out of an image, shape (1, 3, H, W), and resizes it to the shape (size, size, 3)."""
        x1, y1, x2, y2 = box_src
        # torch's fast 8-bit kernels need channels-last memory format and rows without gaps
        crop = image[..., y1:y2, x1:x2].contiguous(memory_format=torch.channels_last)
        view = F.interpolate(crop, (size, size), mode=self.interpolation, antialias=True)
        return view[0].permute(1, 2, 0).numpy()
