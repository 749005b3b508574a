"""Checks that all processes hold the same weights."""

import hashlib

import torch
from mmengine.dist import all_gather_object, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmssl_geo.engine.runner_values import unwrapped_model
from mmssl_geo.registry import HOOKS

STATISTICS = ('running_mean', 'running_var')


@HOOKS.register_module()
class ReplicaCheckHook(Hook):
    """Compares student and teacher of all processes bit by bit after every epoch of a distributed run.

    Running statistics of a BatchNorm that is not synchronised differ between processes and are not compared;
    checkpoints hold those of process 0.

    Raises:
        RuntimeError: In `after_train_epoch`, if a process holds other weights than process 0.
    """

    priority = 'NORMAL'

    def after_train_epoch(self, runner: Runner) -> None:
        if get_world_size() == 1:
            return
        digests = all_gather_object(weights_digest(unwrapped_model(runner)))
        if len(set(digests)) > 1:
            ranks = [rank for rank, digest in enumerate(digests) if digest != digests[0]]
            raise RuntimeError(
                f'processes {ranks} have different weights from process 0: discard the results of this run'
            )
        runner.logger.info(
            f'{len(digests)} processes hold identical student and teacher weights (sha256 {digests[0][:16]})'
        )


def weights_digest(model: nn.Module) -> str:
    """Computes the SHA-256 of all parameters and buffers that must be the same in every process."""
    digest = hashlib.sha256()
    process_specific = {
        f'{name}.{statistic}'
        for name, module in model.named_modules()
        for statistic in STATISTICS
        if isinstance(module, _BatchNorm) and not isinstance(module, nn.SyncBatchNorm)
    }
    for name, value in sorted(model.state_dict().items()):
        if name in process_specific:
            continue
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
