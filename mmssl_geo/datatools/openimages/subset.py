"""Chooses the classes and images of a subset, as a function of the boxes, the options and the seed alone.

The order of the rows does not matter. With the same seed and otherwise equal options, a larger subset contains the
smaller one.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmssl_geo.utils.errors import UserError


@dataclass(frozen=True)
class SubsetOptions:
    """Settings of a subset. All defaults are our choice, because D3SSL's split is not published.

    Attributes:
        num_train: Number of training images.
        num_val: Number of validation images.
        num_classes: Number of classes; those with the most training instances are chosen.
        min_instances: Minimum number of instances of these classes in an image.
        max_instances: Maximum number of instances of these classes in an image.
        seed: Seed of the image sampling.
    """

    num_train: int = 100_000
    num_val: int = 5_000
    num_classes: int = 100
    min_instances: int = 2
    max_instances: int = 30
    seed: int = 0

    def __post_init__(self) -> None:
        if self.num_train < 1 or self.num_val < 0 or self.num_classes < 1 or self.seed < 0:
            raise UserError(
                '--num-images and --num-classes must be 1 or more, --num-val and --seed 0 or more, got '
                f'{self.num_train}, {self.num_classes}, {self.num_val} and {self.seed}'
            )
        if not 1 <= self.min_instances <= self.max_instances:
            raise UserError(
                '--min-instances must be 1 or more and at most --max-instances, got '
                f'{self.min_instances} and {self.max_instances}'
            )


def instances(batches: Iterable[NDArray]) -> tuple[NDArray, NDArray]:
    """Returns the images (N,) uint64 and labels (N,) int16 of all instances; group boxes are not instances.

    Args:
        batches: Structured arrays from `csv_files.read_boxes`. 10 bytes of each row are kept.
    """
    pairs = [(batch['image'][~batch['group']], batch['label'][~batch['group']]) for batch in batches]
    images, labels = zip(*pairs, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def choose_classes(labels: NDArray, num_labels: int, num_classes: int) -> NDArray:
    """Returns the labels with the most instances, sorted. The smaller label wins a tie.

    Raises:
        UserError: If fewer labels have an instance.
    """
    counts = np.bincount(labels, minlength=num_labels)
    if (counts > 0).sum() < num_classes:
        raise UserError(
            f'only {(counts > 0).sum()} classes have an instance in the training split, fewer than the '
            f'{num_classes} requested: lower --num-classes'
        )
    return np.sort(np.argsort(-counts, kind='stable')[:num_classes])


def choose_images(
    images: NDArray,
    labels: NDArray,
    classes: NDArray,
    rotated: NDArray,
    number: int,
    split: str,
    options: SubsetOptions,
) -> tuple[NDArray, int]:
    """Chooses the images of a split.

    Args:
        images: Image of every instance of the split, shape (N,).
        labels: Label of every instance of the split, shape (N,).
        classes: The labels that count.
        rotated: Images to exclude.
        number: Number of images to choose.
        split: Name of the split, for messages.
        options: `SubsetOptions`.

    Returns:
        The sorted images, shape (number,), uint64, and the number of candidates.

    Raises:
        UserError: If there are fewer candidates.
    """
    candidates, counts = np.unique(images[np.isin(labels, classes)], return_counts=True)
    candidates = candidates[(counts >= options.min_instances) & (counts <= options.max_instances)]
    candidates = np.setdiff1d(candidates, rotated, assume_unique=True)
    if len(candidates) < number:
        raise UserError(
            f'{split}: {len(candidates)} images have {options.min_instances} to {options.max_instances} instances of '
            f'the {len(classes)} classes, fewer than the {number} requested: request fewer images or more '
            'classes, or widen --min-instances and --max-instances'
        )
    ranks = np.array([_rank(options.seed, int(image)) for image in candidates], np.uint64)
    order = np.argsort(ranks, kind='stable')
    return np.sort(candidates[order[:number]]), len(candidates)


def _rank(seed: int, image: int) -> int:
    return int.from_bytes(hashlib.blake2b(f'{seed} {image:016x}'.encode(), digest_size=8).digest(), 'big')


def boxes_of(batches: Iterable[NDArray], images: NDArray, classes: NDArray) -> NDArray:
    """Returns all boxes of the given classes in the given images, including groups: sorted, without duplicates.

    Args:
        batches: Structured arrays from `csv_files.read_boxes`.
        images: Sorted images, shape (n,), uint64.
        classes: Sorted labels, shape (c,).
    """
    kept = [batch[np.isin(batch['image'], images) & np.isin(batch['label'], classes)] for batch in batches]
    return np.unique(np.concatenate(kept))
