"""From loaded samples to a batch of views on the device."""
import torch
from mmengine.model import BaseDataPreprocessor

from mmssl_geo.registry import MODELS
from mmssl_geo.structures import ViewBatch


@MODELS.register_module()
class MultiViewDataPreprocessor(BaseDataPreprocessor):
    """Moves views to the device as uint8, orders them view-major and normalises them.

    Args:
        mean: per channel (RGB), in grey levels; ImageNet's by default.
        std: per channel, in grey levels.
    """

    def __init__(self, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375), non_blocking=True):
        super().__init__(non_blocking=non_blocking)
        self.register_buffer('mean', torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, data, training=False):
        """Collated samples of `PackViews` -> `dict(views=ViewBatch)`.

        Args:
            data: `inputs.global` `(B, G, 3, S, S)` and `inputs.local` `(B, L, 3, s, s)` uint8,
                `crop_boxes_src` `(B, V, 4)`, `turns` and `flipped` `(B, V)`; other entries are ignored.
            training: has no influence.
        """
        any_flipped = bool(data['flipped'].any())  # before the move: no waiting for the device
        data = self.cast_data({key: data[key] for key in ('inputs', 'crop_boxes_src', 'turns')})
        images = {kind: self._normalise(views.transpose(0, 1).flatten(0, 1)) for kind, views in data['inputs'].items()}
        return dict(views=ViewBatch(
            images['global'], images['local'], data['crop_boxes_src'], data['turns'],
            num_global=data['inputs']['global'].shape[1], any_flipped=any_flipped))

    def _normalise(self, images):
        return (images.to(self.mean.dtype) - self.mean) / self.std
