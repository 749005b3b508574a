"""Global random states as a function of the iteration."""
import random

import numpy as np
import torch
from mmengine.hooks import Hook

from mmssl_geo.registry import HOOKS


@HOOKS.register_module()
class StepSeedHook(Hook):
    """Seeds torch (CPU and GPUs), numpy and `random` before every iteration, from seed, iteration and rank.

    So drop path and dropout draw the same after a resume as in a run that was never interrupted, without random
    states in the checkpoint. The data do not depend on it: our transforms draw from seed, epoch and image index, and
    mmengine seeds its worker processes itself.

    Args:
        seed (int, optional): None: the runner's.
    """
    priority = 'VERY_HIGH'

    def __init__(self, seed=None):
        self.seed = seed

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        seed = runner.seed if self.seed is None else self.seed
        torch_seed, numpy_seed, python_seed = map(
            int, np.random.SeedSequence((seed, runner.iter, runner.rank)).generate_state(3))
        torch.manual_seed(torch_seed)
        np.random.seed(numpy_seed)
        random.seed(python_seed)
