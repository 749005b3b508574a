import time
from collections import Counter

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from mmssl_geo.datasets import samplers
from mmssl_geo.datasets.samplers import EpochSampler
from mmssl_geo.registry import DATA_SAMPLERS
from mmssl_geo.utils.errors import UserError


class Pairs(Dataset):
    """Its items are their own keys."""

    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, key):
        return torch.tensor(key)


def make(monkeypatch, length, rank=0, world_size=1, **options):
    monkeypatch.setattr(samplers, 'get_dist_info', lambda: (rank, world_size))
    return EpochSampler(Pairs(length), **options)


def batches(loader):
    return [batch.tolist() for batch in loader]


@pytest.mark.parametrize('length, world_size', [(12, 1), (13, 2), (16, 4), (3, 8)])
def test_ranks_share_one_permutation_evenly(monkeypatch, length, world_size):
    order = [index for index, _ in make(monkeypatch, length)]
    assert sorted(order) == list(range(length))
    ranks = [list(make(monkeypatch, length, rank, world_size)) for rank in range(world_size)]
    assert len({len(pairs) for pairs in ranks}) == 1
    assert len(make(monkeypatch, length, 0, world_size)) == len(ranks[0])
    together = [pair[0] for step in zip(*ranks, strict=True) for pair in step]
    assert together[:length] == order
    assert len(together) - length < world_size
    times_seen = Counter(together).values()
    assert min(times_seen) >= 1 and max(times_seen) - min(times_seen) <= 1


def test_without_round_up_the_tail_is_left_out(monkeypatch):
    order = [index for index, _ in make(monkeypatch, 11)]
    ranks = [[i for i, _ in make(monkeypatch, 11, rank, 4, round_up=False)] for rank in range(4)]
    assert ranks == [order[rank:8:4] for rank in range(4)]
    with pytest.raises(UserError, match='3 images cannot be shared among 4 processes'):
        make(monkeypatch, 3, 0, 4, round_up=False)


def test_order_is_a_function_of_seed_and_epoch(monkeypatch):
    orders = {}
    for seed in range(3):
        for epoch in range(3):
            sampler = make(monkeypatch, 50, seed=seed)
            sampler.set_epoch(epoch)
            pairs = list(sampler)
            assert {e for _, e in pairs} == {epoch}
            assert list(sampler) == pairs
            orders[seed, epoch] = tuple(i for i, _ in pairs)
    assert len(set(orders.values())) == 9
    assert list(make(monkeypatch, 3, shuffle=False)) == [(0, 0), (1, 0), (2, 0)]


def test_start_skips_samples_of_this_epoch_only(monkeypatch):
    sampler = make(monkeypatch, 21, 1, 2)
    whole = list(sampler)
    sampler.set_start(4)
    assert list(sampler) == whole[4:] and len(sampler) == 11
    sampler.set_epoch(0)
    assert list(sampler) == whole[4:]
    sampler.set_epoch(1)
    assert len(list(sampler)) == 11
    with pytest.raises(ValueError, match='after 12 of 11'):
        sampler.set_start(12)


def test_the_running_iteration_keeps_its_epoch(monkeypatch):
    sampler = make(monkeypatch, 10)
    whole = list(sampler)
    running = iter(sampler)
    sampler.set_epoch(1)
    assert list(running) == whole


@pytest.mark.parametrize('rank', [0, 1])
def test_workers_and_resuming_change_nothing(monkeypatch, rank):
    """Two epochs, in one process, in two persistent workers, and begun in the middle of the second epoch."""
    streams = []
    for workers in (0, 2):
        sampler = make(monkeypatch, 25, rank, 2, seed=3)
        loader = DataLoader(
            sampler_dataset(sampler), batch_size=3, sampler=sampler, num_workers=workers, persistent_workers=workers > 0
        )
        stream = []
        for epoch in range(2):
            sampler.set_epoch(epoch)
            stream.append(batches(loader))
        streams.append(stream)
    assert streams[0] == streams[1]
    assert [len(epoch) for epoch in streams[0]] == [5, 5]
    assert all(pair[1] == epoch for epoch in range(2) for batch in streams[0][epoch] for pair in batch)

    sampler = make(monkeypatch, 25, rank, 2, seed=3)
    loader = DataLoader(sampler_dataset(sampler), batch_size=3, sampler=sampler, num_workers=2)
    sampler.set_epoch(1)
    sampler.set_start(2 * 3)
    assert batches(loader) == streams[0][1][2:]
    assert len(loader) == 5


def sampler_dataset(sampler):
    return Pairs(sampler.num_images)


def test_two_million_images_in_seconds(monkeypatch):
    sampler = make(monkeypatch, 2 * 10**6, 1, 2)
    begin = time.perf_counter()
    assert sum(1 for _ in sampler) == 10**6
    assert time.perf_counter() - begin < 20


def test_built_as_the_runner_builds_it():
    sampler = DATA_SAMPLERS.build(dict(type='mmssl_geo.EpochSampler'), default_args=dict(dataset=Pairs(5), seed=None))
    assert isinstance(sampler.seed, int) and len(list(sampler)) == 5
