"""Statistics of the views of photos, compared with those of the official GTSA code on the same photos."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import default_collate

from mmssl_geo.augment.params import LUMA
from mmssl_geo.datasets import ImageListDataset
from mmssl_geo.models import MultiViewDataPreprocessor
from mmssl_geo.utils.errors import UserError

MAX_STANDARD_ERRORS = 5
ROUNDING = 1e-4  # the file has four digits
LAPLACIAN = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]


@dataclass(frozen=True)
class Statistic:
    """A mean over views, ours and the official one.

    Args:
        name: Dotted name in the file.
        ours: Our mean.
        official: The official mean.
        error: Standard error of the difference: the photos are the same, the random draws are not.
    """

    name: str
    ours: float
    official: float
    error: float

    @property
    def holds(self) -> bool:
        """Whether the means are close enough."""
        return abs(self.ours - self.official) <= MAX_STANDARD_ERRORS * self.error + ROUNDING

    def __str__(self) -> str:
        distance = abs(self.ours - self.official) / max(self.error, 1e-12)
        return (
            f'{self.name:<44}{self.ours:>9.4f}{self.official:>9.4f}{distance:>7.1f} standard errors  '
            f'{"ok" if self.holds else "DIFFERS"}'
        )


def check_views(
    dataset: ImageListDataset,
    path: str | os.PathLike,
    num_draws: int,
    num_images: int,
    on_image: Callable[[], object] = lambda: None,
) -> list[Statistic]:
    """Compares views with a file of the official code's statistics.

    Args:
        dataset: Dataset whose pipeline ends with `PackViews`.
        path: JSON file of the statistics.
        num_draws: Random draws per image, at least 2.
        num_images: Number of images, the first ones of the dataset.
        on_image: Called after each image.

    Raises:
        UserError: If the file cannot be read or lacks a statistic.
    """
    try:
        with open(path) as file:
            official = json.load(file)
    except (OSError, ValueError) as error:
        raise UserError(f'{path} cannot be read: {error}') from error
    values = []
    for index in range(num_images):
        height, width = dataset.decode(index).shape[:2]
        values.append([_sample_means(dataset[index, epoch], height * width) for epoch in range(num_draws)])
        on_image()
    try:
        return [_compare(name, values, _official_mean(official, name)) for name in values[0][0]]
    except (KeyError, IndexError, TypeError) as error:
        raise UserError(f'{path} is not a file of view statistics: it lacks {error}') from error


def _sample_means(sample: dict[str, Any], image_area: int) -> dict[str, float]:
    """Returns the means over the views of a sample by the names of the statistics."""
    preprocessor = MultiViewDataPreprocessor()
    views = preprocessor(default_collate([sample]))['views']
    boxes_src, num_global = views.crop_boxes_src[0], views.num_global
    sides = boxes_src[:, 2:] - boxes_src[:, :2]
    top_left = torch.maximum(boxes_src[:, None, :2], boxes_src[:, :2])
    bottom_right = torch.minimum(boxes_src[:, None, 2:], boxes_src[:, 2:])
    common = (bottom_right - top_left).clamp(min=0).prod(-1) / image_area
    overlaps = {'global_global': common[0, 1:num_global], 'global_local': common[:num_global, num_global:]}
    means = {f'overlap_area_fraction_of_image.{pair}.mean': values.mean() for pair, values in overlaps.items()}
    for turn in range(4):
        means[f'angle_frequency.{90 * turn}'] = (views.turns == turn).float().mean()
    for kind, chosen in (('global', slice(None, num_global)), ('local', slice(num_global, None))):
        means[f'crop_area_fraction.{kind}.mean'] = (sides[chosen].prod(-1) / image_area).mean()
        means[f'crop_width_over_height.{kind}.mean'] = (sides[chosen, 0] / sides[chosen, 1]).mean()
        means.update(_pixel_means(views.images()[kind], kind, preprocessor))
    return {name: float(value) for name, value in means.items()}


def _pixel_means(images: Tensor, kind: str, preprocessor: MultiViewDataPreprocessor) -> dict[str, Tensor]:
    levels = (images * preprocessor.std + preprocessor.mean) / 255
    grey = (levels * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    channel_means, channel_stds = images.mean(dim=(2, 3)), images.std(dim=(2, 3))
    is_grey = (levels[:, 0] - levels[:, 1]).abs().amax(dim=(1, 2)) < 1e-3
    means = {
        f'grey_view_fraction.{kind}': is_grey.float().mean(),
        f'mean_abs_laplacian_of_grey.{kind}.mean': F.conv2d(grey, LAPLACIAN).abs().mean(),
    }
    for channel in range(3):
        mean = channel_means[:, channel]
        means[f'normalised_pixel_mean_per_channel.{kind}.{channel}'] = mean.mean()
        means[f'normalised_pixel_std_per_channel.{kind}.{channel}'] = channel_stds[:, channel].mean()
        means[f'spread_of_view_means_per_channel.{kind}.{channel}'] = mean.square().mean()
    return means


def _official_mean(official: Any, name: str) -> float:  # noqa: ANN401  (parsed JSON)
    """Returns the value at a dotted name; for a spread its mean square, which is a mean like all others."""
    value = official
    for part in name.split('.'):
        value = value[int(part)] if isinstance(value, list) else value[part]
    if name.startswith('spread'):
        mean = _official_mean(official, name.replace('spread_of_view_means', 'normalised_pixel_mean'))
        return value**2 + mean**2
    return value


def _compare(name: str, values: Sequence[Sequence[dict[str, float]]], official: float) -> Statistic:
    """Compares one statistic of `values`, indexed [image][draw][name]."""
    draws = torch.tensor([[draw[name] for draw in of_image] for of_image in values], dtype=torch.float64)
    error = (2 * draws.var(dim=1).mean() / draws.numel()).sqrt()
    return Statistic(name, draws.mean().item(), official, error.item())
