"""Features of whole images, of their patches, and of regions in them."""
import numpy as np
import torch

from mmssl_geo.evaluation.frozen_net import run_frozen
from mmssl_geo.geometry import pool_boxes
from mmssl_geo.models.backbones.base import has_cls_token
from mmssl_geo.utils.errors import UserError

KINDS = ('image', 'patches', 'regions')


class FrozenFeatures:
    """What an encoder gives for views of one size.

    - `image`: `mean` (N, C) over the cells of the map and, of a ViT, `cls` (N, C);
    - `patches`: `maps` (N, C, h, w);
    - `regions`: `features` (M, C), the mean of each box (RoIAlign, aligned), `image` (M,), the row of its image,
      `boxes` (M, 4) in pixels of the upright source image, `labels` (M,), category ids or -1.

    All after a ViT's final LayerNorm, of the last stage of a ResNet.

    Args:
        encoder: Encoder.
        kind: one of `KINDS`.
        size: (height, width) of the views: whole numbers of the encoder's cells.
        device: torch.device
        dtype: numpy type of the features.

    Raises:
        UserError: the size is no whole number of cells.
    """

    def __init__(self, encoder, kind, size, device, dtype=np.float32):
        if any(side % encoder.stride for side in size):
            raise UserError(f'--size {size[0]}x{size[1]} is not a whole number of the {encoder.stride} px cells of the '
                            'net')
        self.kind, self.channels, self.device, self.dtype = kind, encoder.channels, device, dtype
        self.net = encoder.net.to(device)
        self.cells = tuple(side // encoder.stride for side in size)
        self.has_cls = has_cls_token(self.net)
        if self.has_cls:
            self.net.out_type = 'raw'  # [CLS] too

    def empty(self):
        """The arrays of no image."""
        features = np.empty((0, self.channels), self.dtype)
        if self.kind == 'image':
            return dict(mean=features, **(dict(cls=features) if self.has_cls else {}))
        if self.kind == 'patches':
            return dict(maps=np.empty((0, self.channels, *self.cells), self.dtype))
        return dict(features=features, image=np.empty(0, np.int64), boxes=np.empty((0, 4), np.float32),
                    labels=np.empty(0, np.int64))

    def __call__(self, images, first_row):
        """Arrays of a batch.

        Args:
            images: list of `WholeImage` that could be read.
            first_row: row of the first of them in its file.

        Raises:
            UserError: features are not finite.
        """
        cls, maps = self._split(run_frozen(self.net, torch.stack([image.view for image in images])))
        if self.kind == 'image':
            found = dict(mean=maps.mean(dim=(2, 3)), **({} if cls is None else dict(cls=cls)))
        elif self.kind == 'patches':
            found = dict(maps=maps)
        else:
            return self._regions(maps, images, first_row)
        return {name: self._array(value) for name, value in found.items()}

    def _split(self, output):
        if not self.has_cls:
            return None, output
        return output[:, 0], output[:, 1:].transpose(1, 2).unflatten(2, self.cells)

    def _regions(self, maps, images, first_row):
        counts = [len(image.boxes) for image in images]
        owner = np.repeat(np.arange(len(images)), counts)
        boxes = np.concatenate([image.boxes for image in images])
        sides = np.array([image.size for image in images])[owner][:, [1, 0, 1, 0]]
        boxes_feat = torch.from_numpy(boxes * np.tile(self.cells[::-1], 2)).to(self.device)
        pooled = pool_boxes(maps, boxes_feat, torch.from_numpy(owner).to(self.device), 1)
        return dict(features=self._array(pooled.flatten(1)), image=owner + first_row,
                    boxes=(boxes * sides).astype(np.float32), labels=np.concatenate([i.labels for i in images]))

    def _array(self, values):
        return values.cpu().numpy().astype(self.dtype)
