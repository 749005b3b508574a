"""Statistics of views of photos, against those that the official GTSA code has given on the same photos."""
import json
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch.utils.data import default_collate

from mmssl_geo.augment.params import LUMA
from mmssl_geo.models import MultiViewDataPreprocessor
from mmssl_geo.utils.errors import UserError

MAX_ERRORS = 5  # standard errors
LAPLACIAN = torch.tensor([[0., 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]


@dataclass(frozen=True)
class Statistic:
    """A mean over views, ours and the official one.

    Args:
        name: where it stands in the file.
        ours, official: the means.
        error: standard error of their difference: the photos are the same, the draws are not.
    """
    name: str
    ours: float
    official: float
    error: float

    @property
    def holds(self):
        return abs(self.ours - self.official) <= MAX_ERRORS * self.error + 1e-4  # the file has four digits

    def __str__(self):
        distance = abs(self.ours - self.official) / max(self.error, 1e-12)
        return (f'{self.name:<44}{self.ours:>9.4f}{self.official:>9.4f}{distance:>7.1f} standard errors  '
                f'{"ok" if self.holds else "DIFFERS"}')


def check_views(dataset, path, draws, num_images, on_image=lambda: None):
    """Compares views with a file of the official code's statistics.

    Args:
        dataset: `ImageListDataset` whose pipeline ends with `PackViews`.
        path: JSON file of the statistics.
        draws: of each image, 2 or more.
        num_images: the first so many images are taken.
        on_image: called after each.

    Returns:
        list[Statistic]

    Raises:
        UserError: the file cannot be read, or lacks a statistic.
    """
    try:
        with open(path) as file:
            official = json.load(file)
    except (OSError, ValueError) as error:
        raise UserError(f'{path} cannot be read: {error}') from error
    facts = []
    for index in range(num_images):
        size_src = dataset.decode(index).shape[:2]
        facts.append([_facts_of_sample(dataset[index, epoch], size_src) for epoch in range(draws)])
        on_image()
    try:
        return [_compare(name, facts, _official_mean(official, name)) for name in facts[0][0]]
    except (KeyError, IndexError, TypeError) as error:
        raise UserError(f'{path} is no file of view statistics: it lacks {error}') from error


def _facts_of_sample(sample, size_src):
    """Name -> mean of a fact over the views of a sample, whose image is `size_src` (height, width) large."""
    preprocessor = MultiViewDataPreprocessor()
    views = preprocessor(default_collate([sample]))['views']
    boxes_src, num_global, (height, width) = views.crop_boxes_src[0], views.num_global, size_src
    sides = boxes_src[:, 2:] - boxes_src[:, :2]
    common = (torch.minimum(boxes_src[:, None, 2:], boxes_src[:, 2:])
              - torch.maximum(boxes_src[:, None, :2], boxes_src[:, :2])).clamp(min=0).prod(-1) / (height * width)
    overlaps = {'global_global': common[0, 1:num_global], 'global_local': common[:num_global, num_global:]}
    facts = {f'overlap_area_fraction_of_image.{pair}.mean': values.mean() for pair, values in overlaps.items()}
    for turn in range(4):
        facts[f'angle_frequency.{90 * turn}'] = (views.turns == turn).float().mean()
    for kind, chosen in (('global', slice(None, num_global)), ('local', slice(num_global, None))):
        facts[f'crop_area_fraction.{kind}.mean'] = (sides[chosen].prod(-1) / (height * width)).mean()
        facts[f'crop_width_over_height.{kind}.mean'] = (sides[chosen, 0] / sides[chosen, 1]).mean()
        facts.update(_pixel_facts(views.images()[kind], kind, preprocessor))
    return {name: float(value) for name, value in facts.items()}


def _pixel_facts(images, kind, preprocessor):
    levels = (images * preprocessor.std + preprocessor.mean) / 255
    grey = (levels * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    means, deviations = images.mean(dim=(2, 3)), images.std(dim=(2, 3))
    facts = {f'grey_view_fraction.{kind}': ((levels[:, 0] - levels[:, 1]).abs().amax(dim=(1, 2)) < 1e-3).float().mean(),
             f'mean_abs_laplacian_of_grey.{kind}.mean': F.conv2d(grey, LAPLACIAN).abs().mean()}
    for channel in range(3):
        facts[f'normalised_pixel_mean_per_channel.{kind}.{channel}'] = means[:, channel].mean()
        facts[f'normalised_pixel_std_per_channel.{kind}.{channel}'] = deviations[:, channel].mean()
        facts[f'spread_of_view_means_per_channel.{kind}.{channel}'] = means[:, channel].square().mean()
    return facts


def _official_mean(official, name):
    """The value at a dotted name; of a spread the mean square, which is a mean as all the others are."""
    value = official
    for part in name.split('.'):
        value = value[int(part)] if isinstance(value, list) else value[part]
    if name.startswith('spread'):
        return value**2 + _official_mean(official, name.replace('spread_of_view_means', 'normalised_pixel_mean'))**2
    return value


def _compare(name, facts, official):
    values = torch.tensor([[draw[name] for draw in draws] for draws in facts], dtype=torch.float64)
    error = (2 * values.var(dim=1).mean() / values.numel()).sqrt()
    return Statistic(name, values.mean().item(), official, error.item())
