"""From collated samples to a batch of normalised views on the device."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmssl_geo.augment import augment_batch
from mmssl_geo.geometry import mix_background
from mmssl_geo.registry import MODELS
from mmssl_geo.structures import RECORD_FIELDS, RegionBatch, ViewBatch
from mmssl_geo.utils.checks import check_numbers
from mmssl_geo.utils.constants import IMAGENET_MEAN, IMAGENET_STD
from mmssl_geo.utils.errors import UserError

__all__ = ['MultiViewDataPreprocessor', 'RegionViewDataPreprocessor']


class NormalisingDataPreprocessor(BaseDataPreprocessor):
    """Base of the data preprocessors: moves uint8 views to the device and normalises them there.

    Args:
        mean: Mean per RGB channel, in grey levels.
        std: Standard deviation per RGB channel, in grey levels.
        non_blocking: Whether copies to the device run asynchronously.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD, non_blocking: bool = True
    ) -> None:
        for name, values in (('mean', mean), ('std', std)):
            if not isinstance(values, list | tuple) or len(values) != 3:
                raise UserError(f'{type(self).__name__}: {name} must be three numbers, got {values!r}')
        for value in mean:
            check_numbers(type(self).__name__, mean=value)
        for value in std:
            check_numbers(type(self).__name__, above=0, std=value)
        super().__init__(non_blocking=non_blocking)
        self.register_buffer('mean', torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def normalise(self, images: Tensor) -> Tensor:
        """Normalises images in grey levels, shape (N, 3, H, W), uint8 or floating point."""
        return torch.sub(images, self.mean).div_(self.std)


@MODELS.register_module()
class MultiViewDataPreprocessor(NormalisingDataPreprocessor):
    """Orders multi-crop views view-major, applies their photometric augmentation and normalises them.

    Args:
        mean: Mean per RGB channel, in grey levels.
        std: Standard deviation per RGB channel, in grey levels.
        non_blocking: Whether copies to the device run asynchronously.
        compile_photometric: Whether `torch.compile` fuses the photometric augmentation into few kernels (otherwise
            about 200 per size of view).
    """

    def __init__(
        self,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        non_blocking: bool = True,
        compile_photometric: bool = False,
    ) -> None:
        super().__init__(mean, std, non_blocking)
        self.augment = augment_batch
        if compile_photometric:
            self.augment = torch.compile(augment_batch, dynamic=False)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, ViewBatch]:
        """Makes a `ViewBatch` of collated samples of `PackViews`.

        Args:
            data: `inputs.global` (B, G, 3, S, S) and `inputs.local` (B, L, 3, s, s), uint8; the fields of
                `StackedRecords`; `photometric_params` (B, V, 11) if the augmentation is left to the device. Ignores
                other entries.
            training: Ignored.

        Returns:
            `dict(views=ViewBatch)`.
        """
        flipped = data['flipped']  # stays on the CPU
        keys = ('inputs', 'photometric_params', *RECORD_FIELDS)
        data = self.cast_data({key: data[key] for key in keys if key in data and key != 'flipped'})
        num_global = data['inputs']['global'].shape[1]
        images = {kind: _view_major(views) for kind, views in data['inputs'].items()}
        if 'photometric_params' in data:
            rows = data['photometric_params']
            rows = {'global': _view_major(rows[:, :num_global]), 'local': _view_major(rows[:, num_global:])}
            images = {kind: self.augment(views, rows[kind]) if len(views) else views for kind, views in images.items()}
        records = {**data, 'flipped': flipped}
        return dict(
            views=ViewBatch(
                global_images=self.normalise(images['global']),
                local_images=self.normalise(images['local']),
                num_global=num_global,
                **{name: records[name] for name in RECORD_FIELDS},
            )
        )


@MODELS.register_module()
class RegionViewDataPreprocessor(NormalisingDataPreprocessor):
    """Puts another image behind the foreground of x3 and normalises the views.

    The background of x3 is the clean x2 of another image of the batch, chosen by a random cyclic offset (D3SSL,
    figure of the authors: "another image of the batch"; the draw is our choice). It is drawn from torch's CPU
    generator, which `StepSeedHook` seeds. A batch of one keeps the filled background.
    """

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, RegionBatch]:
        """Makes a `RegionBatch` of collated samples of `PackRegionViews`.

        Args:
            data: By view name, `inputs` (B, 3, S, S) uint8, `regions` (B, K, 4) and `region_shares` (B, K);
                `regions_fallback` (B,); `foreground` (B, S, S) if there is an x3. Other entries are ignored.
            training: Ignored.

        Returns:
            `dict(views=RegionBatch)`.
        """
        keys = ('inputs', 'regions', 'regions_fallback', 'region_shares', 'foreground')
        data = self.cast_data({key: data[key] for key in keys if key in data})
        images, mixed = data['inputs'], None
        if 'x3' in images:
            mixed = len(images['x3']) > 1
        if mixed:
            backgrounds = roll_randomly(images['x2'])
            images = {**images, 'x3': mix_background(images['x3'], data['foreground'], backgrounds)}
        return dict(
            views=RegionBatch(
                images={name: self.normalise(views) for name, views in images.items()},
                regions=data['regions'],
                mixed=mixed,
                fallback_share=data['regions_fallback'].float().mean(),
                cut_shares={name: shares.float().mean() for name, shares in data['region_shares'].items()},
            )
        )


def roll_randomly(images: Tensor) -> Tensor:
    """Rolls a batch of B >= 2 images by one random offset, so that every place gets another image."""
    return images.roll(int(torch.randint(1, len(images), ())), dims=0)


def _view_major(values: Tensor) -> Tensor:
    """Reorders values of shape (B, V, ...) to (V * B, ...)."""
    return values.transpose(0, 1).flatten(0, 1)
