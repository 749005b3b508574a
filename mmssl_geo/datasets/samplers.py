"""The order in which images are seen, as a function of seed and epoch."""
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

    A permutation of the dataset, drawn from seed and epoch, is common to all ranks; rank r of W takes its entries r,
    r + W, r + 2W, ... So a global batch holds the same images however it is spread over ranks. All ranks get the
    same number of samples (unlike mmengine's `DefaultSampler` with `round_up=False`), or the last step would hang.

    Args:
        dataset (Sized): the dataset; it has to take such pairs as index, as `ImageListDataset` does.
        seed (int, optional): None: drawn at random, the same on all ranks.
        shuffle (bool): False: 0, 1, 2, ... in every epoch.
        round_up (bool): True: the first entries come again at the end, until the ranks share evenly. False: the tail
            that cannot be shared evenly is left out.

    Raises:
        UserError: `round_up=False` and fewer images than ranks.
    """

    def __init__(self, dataset, seed=0, shuffle=True, round_up=True):
        self.rank, self.world_size = get_dist_info()
        self.num_images = len(dataset)
        self.seed = sync_random_seed() if seed is None else seed
        self.shuffle = shuffle
        self.epoch = 0
        self.start = 0
        self.num_samples = -(-self.num_images // self.world_size) if round_up else self.num_images // self.world_size
        if self.num_samples == 0:
            raise UserError(f'{self.num_images} images cannot be shared among {self.world_size} processes: '
                            'use fewer processes, or train_dataloader.sampler.round_up=True')

    def set_epoch(self, epoch):
        """Sets the epoch of the next iteration; another epoch than before begins at its first sample."""
        if epoch != self.epoch:
            self.start = 0
        self.epoch = epoch

    def set_start(self, num_samples):
        """Lets iterations of this epoch begin after this many samples of this rank (to resume in mid-epoch)."""
        if not 0 <= num_samples <= self.num_samples:
            raise ValueError(f'cannot begin after {num_samples} of {self.num_samples} samples')
        self.start = num_samples

    def __len__(self):
        """Samples of this rank in a whole epoch, wherever the next iteration begins."""
        return self.num_samples

    def __iter__(self):
        # What is asked for now holds for this iteration: the loop may set the next epoch before it has ended.
        return self._pairs(self.epoch, self.start)

    def _pairs(self, epoch, start):
        if self.shuffle:
            # mixed, not added: seed 1 in epoch 0 must not repeat seed 0 in epoch 1
            mixed = int(np.random.SeedSequence((self.seed, epoch)).generate_state(1)[0])
            order = torch.randperm(self.num_images, generator=torch.Generator().manual_seed(mixed))
        else:
            order = torch.arange(self.num_images)
        positions = torch.arange(start, self.num_samples) * self.world_size + self.rank
        for chunk in order[positions % self.num_images].split(CHUNK):  # no list of a million Python integers
            for index in chunk.tolist():
                yield index, epoch
