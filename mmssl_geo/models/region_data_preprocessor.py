"""From samples with regions to a batch of views on the device."""
import torch
from mmengine.model import BaseDataPreprocessor

from mmssl_geo.geometry import mix_background
from mmssl_geo.registry import MODELS
from mmssl_geo.structures import RegionBatch


@MODELS.register_module()
class RegionViewDataPreprocessor(BaseDataPreprocessor):
    """Moves views to the device as uint8, puts another image behind the foreground of x3 and normalises them.

    The background of x3 is the clean x2 of another image of the batch, a random number of places further on
    (D3SSL, figure of the authors: "another image of the batch"; the draw is our choice). The draw is torch's, on the
    CPU, which `StepSeedHook` seeds. A batch of one keeps the filled background.

    Args:
        mean: per channel (RGB), in grey levels; ImageNet's by default.
        std: per channel, in grey levels.
    """

    def __init__(self, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375), non_blocking=True):
        super().__init__(non_blocking=non_blocking)
        self.register_buffer('mean', torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, data, training=False):
        """Collated samples of `PackRegionViews` -> `dict(views=RegionBatch)`.

        Args:
            data: `inputs` name -> `(B, 3, S, S)` uint8, `regions` name -> `(B, K, 4)`, `regions_fallback` `(B,)`,
                `region_shares` name -> `(B, K)`, and `foreground` `(B, S, S)` if there is an x3; other entries are
                ignored.
            training: has no influence.
        """
        keys = ('inputs', 'regions', 'regions_fallback', 'region_shares', 'foreground')
        data = self.cast_data({key: data[key] for key in keys if key in data})
        images, mixed = data['inputs'], None
        if 'x3' in images:
            mixed = len(images['x3']) > 1
        if mixed:
            images = {**images, 'x3': mix_background(images['x3'], data['foreground'], others_of_batch(images['x2']))}
        return dict(views=RegionBatch(
            {name: self._normalise(views) for name, views in images.items()}, data['regions'], mixed,
            data['regions_fallback'].float().mean(),
            {name: shares.float().mean() for name, shares in data['region_shares'].items()}))

    def _normalise(self, images):
        return torch.sub(images, self.mean).div_(self.std)


def others_of_batch(images):
    """Another image of the batch for each, all the same random number of places further on; B >= 2."""
    return images.roll(int(torch.randint(1, len(images), ())), dims=0)
