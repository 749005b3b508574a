"""The order of the images, as a function of seed and epoch."""

from collections.abc import Iterator, Sized

import numpy as np
import torch
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from mmssl_geo.registry import DATA_SAMPLERS
from mmssl_geo.utils.errors import UserError

CHUNK = 4096


@DATA_SAMPLERS.register_module()
class EpochSampler(Sampler):
    """Yields pairs (image index, epoch), so that prefetching and persistent workers know the epoch.

    All ranks share one permutation of the dataset, drawn from seed and epoch; rank r of W takes its entries r, r + W,
    r + 2W, ... So a global batch holds the same images for any number of ranks. All ranks get the same number of
    samples (unlike mmengine's `DefaultSampler` with `round_up=False`, where the last step would hang).

    Args:
        dataset: The dataset, which must accept such pairs as index, as `ImageListDataset` does.
        seed: Seed of the permutations. None: drawn at random, the same on all ranks.
        shuffle: Whether images are permuted; otherwise the order is 0, 1, 2, ... in every epoch.
        round_up: Whether the first entries are repeated at the end until the samples divide evenly among the
            ranks; otherwise the remainder is dropped.

    Raises:
        UserError: If `round_up` is False and there are fewer images than ranks.
    """

    def __init__(self, dataset: Sized, seed: int | None = 0, shuffle: bool = True, round_up: bool = True) -> None:
        self.rank, self.world_size = get_dist_info()
        self.num_images = len(dataset)
        self.seed: int = sync_random_seed() if seed is None else seed
        self.shuffle = shuffle
        self.epoch = 0
        self.start = 0
        self.num_samples = -(-self.num_images // self.world_size) if round_up else self.num_images // self.world_size
        if self.num_samples == 0:
            raise UserError(
                f'{self.num_images} images cannot be shared among {self.world_size} processes: '
                'use fewer processes, or train_dataloader.sampler.round_up=True'
            )

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch of the next iteration; a new epoch begins at its first sample."""
        if epoch != self.epoch:
            self.start = 0
        self.epoch = epoch

    def set_start(self, num_samples: int) -> None:
        """Makes iterations of this epoch begin after `num_samples` samples of this rank, to resume in mid-epoch."""
        if not 0 <= num_samples <= self.num_samples:
            raise ValueError(f'cannot begin after {num_samples} of {self.num_samples} samples')
        self.start = num_samples

    def __len__(self) -> int:
        """Returns the number of samples of this rank in a whole epoch, wherever the next iteration begins."""
        return self.num_samples

    def __iter__(self) -> Iterator[tuple[int, int]]:
        # Binds the current values: the loop may set the next epoch before this iteration has ended.
        return self._pairs(self.epoch, self.start)

    def _pairs(self, epoch: int, start: int) -> Iterator[tuple[int, int]]:
        if self.shuffle:
            # mixed, not added: seed 1 in epoch 0 must not repeat seed 0 in epoch 1
            mixed = int(np.random.SeedSequence((self.seed, epoch)).generate_state(1)[0])
            order = torch.randperm(self.num_images, generator=torch.Generator().manual_seed(mixed))
        else:
            order = torch.arange(self.num_images)
        positions = torch.arange(start, self.num_samples) * self.world_size + self.rank
        for chunk in order[positions % self.num_images].split(CHUNK):  # avoids a list of a million Python integers
            for index in chunk.tolist():
                yield index, epoch
