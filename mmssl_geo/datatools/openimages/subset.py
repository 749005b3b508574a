"""Which classes and images make up a subset: a function of the boxes, the options and the seed alone.

The order of the rows plays no part, and with the same seed and otherwise the same options a larger subset holds the
smaller one.
"""
import hashlib
from dataclasses import dataclass

import numpy as np

from mmssl_geo.utils.errors import UserError


@dataclass(frozen=True)
class SubsetOptions:
    """Settings of a subset; all defaults are our choice, since D3SSL's split is not published.

    Attributes:
        num_train, num_val: images of the two splits.
        num_classes: those with the most instances in the training split make it.
        min_instances, max_instances: instances of these classes in an image.
        seed: of the draw of images.
    """
    num_train: int = 100_000
    num_val: int = 5_000
    num_classes: int = 100
    min_instances: int = 2
    max_instances: int = 30
    seed: int = 0

    def __post_init__(self):
        if self.num_train < 1 or self.num_val < 0 or self.num_classes < 1 or self.seed < 0:
            raise UserError('--num-images and --num-classes must be 1 or more, --num-val and --seed 0 or more, got '
                            f'{self.num_train}, {self.num_classes}, {self.num_val} and {self.seed}')
        if not 1 <= self.min_instances <= self.max_instances:
            raise UserError('an image has to have 1 instance or more: 1 <= --min-instances <= --max-instances, got '
                            f'{self.min_instances} and {self.max_instances}')


def instances(batches):
    """Images `(N,)` uint64 and labels `(N,)` int16 of all instances; boxes of groups are none.

    Args:
        batches: structured arrays, as `csv_files.read_boxes` yields them. 10 bytes of each row are kept.
    """
    pairs = [(batch['image'][~batch['group']], batch['label'][~batch['group']]) for batch in batches]
    images, labels = zip(*pairs, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def choose_classes(labels, num_labels, num_classes):
    """The labels with the most instances, sorted; of equally many the smaller label comes first.

    Raises:
        UserError: fewer labels have an instance.
    """
    counts = np.bincount(labels, minlength=num_labels)
    if (counts > 0).sum() < num_classes:
        raise UserError(f'only {(counts > 0).sum()} classes have an instance in the training split, {num_classes} were '
                        'asked for: lower --num-classes')
    return np.sort(np.argsort(-counts, kind='stable')[:num_classes])


def choose_images(images, labels, classes, rotated, number, split, options):
    """The images of a split.

    Args:
        images, labels: of all instances of the split.
        classes: the labels that count.
        rotated: images that are left out.
        number: how many are wanted.
        split: its name, for the message.
        options: `SubsetOptions`.

    Returns:
        `(number,)` uint64, sorted; and how many there were to choose from.

    Raises:
        UserError: there are fewer.
    """
    candidates, counts = np.unique(images[np.isin(labels, classes)], return_counts=True)
    candidates = candidates[(counts >= options.min_instances) & (counts <= options.max_instances)]
    candidates = np.setdiff1d(candidates, rotated, assume_unique=True)
    if len(candidates) < number:
        raise UserError(
            f'{split}: {len(candidates)} images have {options.min_instances} to {options.max_instances} instances of '
            f'the {len(classes)} classes, {number} were asked for: ask for fewer, for more classes, or widen '
            '--min-instances and --max-instances')
    ranks = np.array([_rank(options.seed, int(image)) for image in candidates], np.uint64)
    order = np.argsort(ranks, kind='stable')
    return np.sort(candidates[order[:number]]), len(candidates)


def _rank(seed, image):
    return int.from_bytes(hashlib.blake2b(f'{seed} {image:016x}'.encode(), digest_size=8).digest(), 'big')


def boxes_of(batches, images, classes):
    """All boxes (groups too) of some classes in some images, sorted, each once.

    Args:
        batches: structured arrays, as `csv_files.read_boxes` yields them.
        images: `(n,)` sorted uint64.
        classes: `(c,)` sorted labels.
    """
    kept = [batch[np.isin(batch['image'], images) & np.isin(batch['label'], classes)] for batch in batches]
    return np.unique(np.concatenate(kept))
