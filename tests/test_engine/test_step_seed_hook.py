import random
from types import SimpleNamespace

import numpy as np
import torch

from mmssl_geo.engine.hooks.step_seed_hook import StepSeedHook


def draw(hook=None, seed=0, iteration=0, rank=0):
    runner = SimpleNamespace(seed=seed, iter=iteration, rank=rank)
    (hook or StepSeedHook()).before_train_iter(runner, 0)
    return torch.rand(()).item(), float(np.random.rand()), random.random()


def test_all_three_generators_follow_seed_iteration_and_rank():
    keys = [(seed, iteration, rank) for seed in (0, 1) for iteration in (0, 1) for rank in (0, 1)]
    first = [draw(None, *key) for key in keys]
    torch.rand(7), np.random.rand(7), random.random()
    assert [draw(None, *key) for key in keys] == first
    for generator in range(3):
        assert len({values[generator] for values in first}) == len(keys)


def test_own_seed_replaces_the_runners():
    assert draw(StepSeedHook(seed=3), seed=0) == draw(StepSeedHook(), seed=3)
