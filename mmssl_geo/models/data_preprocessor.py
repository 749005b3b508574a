"""From loaded samples to a batch of views on the device."""
import torch
from mmengine.model import BaseDataPreprocessor

from mmssl_geo.augment import photometrics_of_batch
from mmssl_geo.registry import MODELS
from mmssl_geo.structures import ViewBatch


@MODELS.register_module()
class MultiViewDataPreprocessor(BaseDataPreprocessor):
    """Moves views to the device as uint8, orders them view-major, does their photometrics and normalises them.

    Args:
        mean: per channel (RGB), in grey levels; ImageNet's by default.
        std: per channel, in grey levels.
        compile_photometrics: whether `torch.compile` makes few kernels of the photometrics (else some 200 a size).
    """

    def __init__(self, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375), non_blocking=True,
                 compile_photometrics=False):
        super().__init__(non_blocking=non_blocking)
        self.register_buffer('mean', torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.photometrics = photometrics_of_batch
        if compile_photometrics:
            self.photometrics = torch.compile(photometrics_of_batch, dynamic=False)

    def forward(self, data, training=False):
        """Collated samples of `PackViews` -> `dict(views=ViewBatch)`.

        Args:
            data: `inputs.global` `(B, G, 3, S, S)` and `inputs.local` `(B, L, 3, s, s)` uint8,
                `crop_boxes_src` `(B, V, 4)`, `turns` and `flipped` `(B, V)`; `photometrics` `(B, V, 11)` if they are
                to be done here; other entries are ignored.
            training: has no influence.
        """
        any_flipped = bool(data['flipped'].any())  # before the move: no waiting for the device
        data = self.cast_data({
            key: data[key] for key in ('inputs', 'crop_boxes_src', 'turns', 'photometrics') if key in data})
        num_global = data['inputs']['global'].shape[1]
        images = {kind: _view_major(views) for kind, views in data['inputs'].items()}
        if 'photometrics' in data:
            rows = data['photometrics']
            rows = {'global': _view_major(rows[:, :num_global]), 'local': _view_major(rows[:, num_global:])}
            images = {kind: self.photometrics(views, rows[kind]) if len(views) else views
                      for kind, views in images.items()}
        return dict(views=ViewBatch(
            self._normalise(images['global']), self._normalise(images['local']), data['crop_boxes_src'], data['turns'],
            num_global=num_global, any_flipped=any_flipped))

    def _normalise(self, images):
        return torch.sub(images, self.mean).div_(self.std)


def _view_major(values):
    """`(B, V, ...)` as `(V * B, ...)`."""
    return values.transpose(0, 1).flatten(0, 1)
