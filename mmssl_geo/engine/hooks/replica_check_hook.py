"""Do all processes still hold the same weights?"""
import hashlib

import torch
from mmengine.dist import all_gather_object, get_world_size
from mmengine.hooks import Hook

from mmssl_geo.registry import HOOKS

from ..progress import bare_model


@HOOKS.register_module()
class ReplicaCheckHook(Hook):
    """After every epoch of a distributed run, compares student and teacher of all processes bit by bit (our choice).

    Raises:
        RuntimeError: in `after_train_epoch`, if any process holds other weights than the first.
    """
    priority = 'NORMAL'

    def after_train_epoch(self, runner):
        if get_world_size() == 1:
            return
        digests = all_gather_object(weights_digest(bare_model(runner)))
        if len(set(digests)) > 1:
            others = [rank for rank, digest in enumerate(digests) if digest != digests[0]]
            raise RuntimeError(f'processes {others} hold other weights than process 0: the run is not to be trusted')
        runner.logger.info(
            f'{len(digests)} processes hold identical student and teacher weights (sha256 {digests[0][:16]})')


def weights_digest(model):
    """SHA-256 of all parameters and buffers of a model, by name."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
