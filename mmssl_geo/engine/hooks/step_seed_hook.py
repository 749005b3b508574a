"""Seeds the global random generators as a function of the iteration."""

import random
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmssl_geo.registry import HOOKS
from mmssl_geo.utils.checks import check_counts


@HOOKS.register_module()
class StepSeedHook(Hook):
    """Seeds torch (CPU and GPUs), numpy and `random` before every iteration, from seed, iteration and rank.

    Drop path and dropout therefore draw the same values in a resumed and in an uninterrupted run, without random states
    in the checkpoint. The data does not depend on it: our transforms draw from seed, epoch and image index, and
    mmengine seeds its worker processes itself.

    Args:
        seed: Seed; None: the runner's.
    """

    priority = 'VERY_HIGH'

    def __init__(self, seed: int | None = None) -> None:
        if seed is not None:
            check_counts('StepSeedHook', at_least=0, seed=seed)
        self.seed = seed

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None) -> None:
        seed = runner.seed if self.seed is None else self.seed
        torch_seed, numpy_seed, python_seed = map(
            int, np.random.SeedSequence((seed, runner.iter, runner.rank)).generate_state(3)
        )
        torch.manual_seed(torch_seed)
        np.random.seed(numpy_seed)
        random.seed(python_seed)
