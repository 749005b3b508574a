"""The base class of all probes: reading images, sampling training subsets and averaging over seeds."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

from mmssl_geo.evaluation.frozen_net import OnViews, Output, frozen_copy, ignore_progress
from mmssl_geo.evaluation.random_weights import randomly_initialised
from mmssl_geo.evaluation.results import Results, ValueAndChance, summarise
from mmssl_geo.utils.errors import UserError

PENALTIES = (1e-4, 1e-3, 1e-2, 0.1, 1.0)
"""Candidates for the penalty of linear classifiers."""

Scores = dict[str, ValueAndChance]
"""Values and chance levels by the name of the number, from 0 to 1."""


class Samples(Protocol):
    """Samples by index; a sample is a tuple that starts with its view, shape (3, S, S), uint8."""

    def __getitem__(self, index: int, /) -> Any: ...  # noqa: ANN401  (the other items depend on the probe)

    def __len__(self) -> int: ...


class Probe(ABC):
    """A probe that is fitted to features of labelled images and evaluated on validation images.

    Features are extracted once. Every seed then selects a subset of the training images and gives a result.

    Args:
        train: Training samples.
        val: Validation samples.
        size: Side of the views in pixels.
        num_train: Number of training images per seed, selected at random. None, or more than there are, for all.
        batch_size: Views per batch.
        num_workers: Worker processes that read images; 0 reads them in this process.

    Raises:
        UserError: If there are fewer than two training images.
    """

    output: Output = 'map'

    def __init__(
        self,
        train: Samples,
        val: Samples,
        size: int,
        num_train: int | None = None,
        batch_size: int = 32,
        num_workers: int = 0,
    ) -> None:
        self.train, self.val = train, val
        self.num_available, self.num_val = len(train), len(val)
        self.size = size
        self.num_train = min(num_train or self.num_available, self.num_available)
        self.batch_size, self.num_workers = batch_size, num_workers
        if self.num_train < 2:
            raise UserError(f'{self.num_train} training image: a probe needs at least 2')

    def evaluate(self, net: nn.Module, seeds: Sequence[int], on_views: OnViews = ignore_progress) -> list[Scores]:
        """Evaluates a net.

        Args:
            net: A net of `frozen_copy(backbone, probe.output)`, on the device that computes.
            seeds: Seeds; each selects its own `num_train` training images and their order, which decides how they are
                split to select a penalty.
            on_views: Called with the number of views after each batch.

        Returns:
            The scores of each seed.

        Raises:
            UserError: If an image cannot be read, features are not finite, or nothing is left to evaluate.
        """
        return self.evaluate_subsets(net, [self.train_subset(seed) for seed in seeds], on_views)

    @abstractmethod
    def evaluate_subsets(self, net: nn.Module, subsets: Sequence[Tensor], on_views: OnViews) -> list[Scores]:
        """Evaluates a net for each subset of the training images, given as indices."""

    def train_subset(self, seed: int) -> Tensor:
        """Selects the training images of a seed; returns their indices in random order, shape (num_train,)."""
        return torch.randperm(self.num_available, generator=torch.Generator().manual_seed(seed))[: self.num_train]

    def used_train_images(self, seeds: Sequence[int]) -> Tensor:
        """Returns the indices of the training images of all seeds, ascending."""
        return torch.cat([self.train_subset(seed) for seed in seeds]).unique()

    def num_views(self, seeds: Sequence[int]) -> int:
        """Returns the number of images that `evaluate` reads."""
        return len(self.used_train_images(seeds)) + self.num_val

    def preload(self, seeds: Sequence[int]) -> None:
        """Reads the images for these seeds into memory, so that broken ones are reported at once."""
        self.train = cast(Samples, {index: self.train[index] for index in self.used_train_images(seeds).tolist()})
        self.val = [self.val[index] for index in range(self.num_val)]

    def batches(self, samples: Samples, indices: Tensor, on_views: OnViews) -> Iterator[tuple[Any, ...]]:
        """Yields batches of samples.

        Args:
            samples: Training or validation samples.
            indices: Indices of the samples to read, shape (N,).
            on_views: Called with the number of views after each batch.

        Yields:
            Indices, shape (B,), views, shape (B, 3, S, S), and a tuple of length B for each further item of the
            samples.
        """
        loader = DataLoader(
            Subset(cast(Dataset, samples), indices.tolist()),
            self.batch_size,
            num_workers=self.num_workers,
            collate_fn=_collate,
            generator=torch.Generator(),  # without it, the loader uses the global random state
        )
        for batch, (views, *others) in zip(indices.split(self.batch_size), loader, strict=True):
            yield batch, views, *others
            on_views(len(views))


def _collate(samples: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    views, *others = zip(*samples, strict=True)
    return torch.stack(views), *others


def check_disjoint(train: str | os.PathLike, val: str | os.PathLike) -> None:
    """Raises a `UserError` if the training and the validation source are the same file or folder."""
    if os.path.realpath(os.path.expanduser(train)) == os.path.realpath(os.path.expanduser(val)):
        raise UserError(f'the validation images are the images the probe is trained on ({val}): use another set')


def evaluate_backbone(
    probe: Probe,
    backbone: nn.Module,
    seeds: Sequence[int],
    device: torch.device | str,
    on_views: OnViews = ignore_progress,
    random_weights: bool = False,
) -> Results:
    """Evaluates a probe of a backbone and averages its scores over seeds.

    Args:
        probe: The probe.
        backbone: A backbone of mmpretrain or a subclass; it is not changed.
        seeds: Seeds.
        device: The device that computes.
        on_views: See `Probe.evaluate`.
        random_weights: Whether to evaluate a randomly initialised net instead, a different one for each seed.
    """
    if random_weights:
        nets = (frozen_copy(randomly_initialised(backbone, seed), probe.output).to(device) for seed in seeds)
        scores = [probe.evaluate(net, [seed], on_views)[0] for net, seed in zip(nets, seeds, strict=True)]
    else:
        scores = probe.evaluate(frozen_copy(backbone, probe.output).to(device), seeds, on_views)
    return {name: summarise([one[name] for one in scores]) for name in scores[0]}
