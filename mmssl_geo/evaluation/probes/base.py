"""What all probes of frozen features share: reading, drawing the labelled images, averages over seeds."""
import os
import statistics

import torch
from torch.utils.data import DataLoader, Subset

from mmssl_geo.evaluation.frozen_net import frozen_copy
from mmssl_geo.evaluation.geometry.measures import Measured
from mmssl_geo.evaluation.random_weights import randomly_initialised
from mmssl_geo.utils.errors import UserError


class Probe:
    """A question to frozen features, learnt on labelled images and asked on others.

    A probe has a method `ask(net, draws, on_images)`: features are made once, then every draw of labelled images
    gives a result.

    Args:
        train, val: data sets; a sample begins with its view `(3, S, S)` uint8.
        size: S, in pixels.
        num_train: labelled images for each seed, drawn at random; None, or more than there are: all.
        batch_size: views at a time.
        num_workers: processes that read; 0: none but this one.
    """
    output = 'map'

    def __init__(self, train, val, size, num_train=None, batch_size=32, num_workers=0):
        self.train, self.val = train, val
        self.counts = len(train), len(val)
        self.size = size
        self.num_train = min(num_train or len(train), len(train))
        self.batch_size, self.num_workers = batch_size, num_workers
        if self.num_train < 2:
            raise UserError(f'{self.num_train} labelled image to learn from: at least 2 are needed')

    def __call__(self, net, seeds, on_images=lambda number: None):
        """Asks a net.

        Args:
            net: of `frozen_copy(backbone, probe.output)`, on the device to compute on.
            seeds: numbers; each draws its own `num_train` labelled images and splits them to choose a penalty.
            on_images: called with the number of images after each batch.

        Returns:
            list of dict: for each seed, name -> `(value, chance)`, in 0 to 1.

        Raises:
            UserError: an image cannot be read, features are not finite, nothing is left to ask.
        """
        return self.ask(net, [self.draw(seed) for seed in seeds], on_images)

    def draw(self, seed):
        """Numbers of a seed's labelled images, in random order: probes that choose a penalty split them by it."""
        return torch.randperm(self.counts[0], generator=torch.Generator().manual_seed(seed))[:self.num_train]

    def union(self, seeds):
        """Numbers of the labelled images of all seeds, ascending."""
        return torch.cat([self.draw(seed) for seed in seeds]).unique()

    def num_views(self, seeds):
        """Images that a call reads."""
        return len(self.union(seeds)) + self.counts[1]

    def preload(self, seeds):
        """Reads what calls with these seeds need, once and for all: so its mistakes show now, and calls are quick."""
        self.train = {index: self.train[index] for index in self.union(seeds).tolist()}
        self.val = [self.val[index] for index in range(self.counts[1])]

    def batches(self, samples, indices, on_images):
        """Yields numbers `(B,)`, views `(B, 3, S, S)` and tuples of what else the samples hold, by `indices`."""
        loader = DataLoader(
            Subset(samples, indices.tolist()), self.batch_size, num_workers=self.num_workers, collate_fn=_columns,
            generator=torch.Generator())  # its own: the loader would draw from the global one
        for numbers, (views, *others) in zip(indices.split(self.batch_size), loader, strict=True):
            yield numbers, views, *others
            on_images(len(views))


def _columns(samples):
    views, *others = zip(*samples, strict=True)
    return torch.stack(views), *others


def refuse_same(train, val):
    """Raises UserError if two sources are the same file or folder."""
    if os.path.realpath(os.path.expanduser(train)) == os.path.realpath(os.path.expanduser(val)):
        raise UserError(f'the probe would be asked about the very images that it has learnt ({val}): give another set')


def ask_backbone(probe, backbone, seeds, device, on_images=lambda number: None, random=False):
    """Mean, deviation and chance of every number that a probe gives for a backbone, over seeds.

    Args:
        probe: Probe
        backbone: net of mmpretrain; it stays as it is.
        seeds: numbers.
        device: to compute on.
        on_images: see `Probe`.
        random: ask nets of random weights instead, a fresh one for each seed.

    Returns:
        dict: name -> Measured.
    """
    if random:
        results = [probe(frozen_copy(randomly_initialised(backbone, seed), probe.output).to(device), [seed],
                         on_images)[0] for seed in seeds]
    else:
        results = probe(frozen_copy(backbone, probe.output).to(device), seeds, on_images)
    return {name: _measured([result[name] for result in results]) for name in results[0]}


def _measured(pairs):
    values, chances = zip(*pairs, strict=True)
    return Measured(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.,
                    statistics.fmean(chances))
