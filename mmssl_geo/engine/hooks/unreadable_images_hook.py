"""Names the images that cannot be read, and stops a run that has too many of them."""
from mmengine.dist import all_gather_object
from mmengine.hooks import Hook

from mmssl_geo.registry import HOOKS
from mmssl_geo.utils.errors import UserError

NAMED_IN_ERROR = 3


@HOOKS.register_module()
class UnreadableImagesHook(Hook):
    """Logs each unreadable image once, and stops when they are more than a share of the dataset.

    Reads `data_batch['unreadable']`, a list of strings as `ImageListDataset` gives them. Each process checks what it
    has met itself after every iteration; what all of them have met is put together after every epoch. A resumed run
    counts anew.

    Args:
        max_unreadable (float, optional): the share. None: the dataset's own `max_unreadable`.

    Raises:
        UserError: more different files than this share of the dataset are unreadable.
    """

    def __init__(self, max_unreadable=None):
        self.max_unreadable = max_unreadable
        self.found = set()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        lines = {line for sample in data_batch['unreadable'] for line in sample.split('\n') if line}
        fresh = sorted(lines - self.found)
        for line in fresh:
            runner.logger.warning(f'image skipped, it cannot be read: {line}')
        self.found.update(fresh)
        if fresh:
            self._check_share(runner)

    def after_train_epoch(self, runner):
        # each process has met only its own images, those that it was given as substitutes included
        self.found = set().union(*all_gather_object(self.found))
        if self.found:
            runner.logger.warning(
                f'{len(self.found)} of {len(runner.train_dataloader.dataset)} images could not be read so far')
        self._check_share(runner)

    def _check_share(self, runner):
        dataset = runner.train_dataloader.dataset
        limit = dataset.max_unreadable if self.max_unreadable is None else self.max_unreadable
        if len(self.found) > limit * len(dataset):
            first = '; '.join(sorted(self.found)[:NAMED_IN_ERROR])
            raise UserError(
                f'{len(self.found)} of {len(dataset)} images ({len(self.found) / len(dataset):.1%}) cannot be read, '
                f'more than the {limit:.1%} allowed, such as: {first}; mend or remove them, or raise '
                'train_dataloader.dataset.max_unreadable')
