"""Logs unreadable images and stops a run that has too many of them."""

from typing import Any

from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmssl_geo.registry import HOOKS
from mmssl_geo.utils.checks import check_fractions
from mmssl_geo.utils.errors import UserError

NUM_LISTED = 3


@HOOKS.register_module()
class UnreadableImagesHook(Hook):
    """Logs each unreadable image once, and stops the run if they exceed a fraction of the dataset.

    Reads `data_batch['unreadable']`, a list of strings from `ImageListDataset`. Each process checks its own images
    after every iteration; the images of all processes are merged after every epoch. A resumed run restarts the count.

    Args:
        max_unreadable: The fraction; None: the dataset's own `max_unreadable`.

    Raises:
        UserError: If more than this fraction of the files are unreadable.
    """

    def __init__(self, max_unreadable: float | None = None) -> None:
        if max_unreadable is not None:
            check_fractions('UnreadableImagesHook', max_unreadable=max_unreadable)
        self.max_unreadable = max_unreadable
        self.unreadable: set[str] = set()

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        if data_batch is None:  # mmengine declares it optional but always passes it in training
            return
        lines = {line for sample in data_batch['unreadable'] for line in sample.split('\n') if line}
        new_lines = sorted(lines - self.unreadable)
        for line in new_lines:
            runner.logger.warning(f'unreadable image skipped: {line}')
        self.unreadable.update(new_lines)
        if new_lines:
            self._check_fraction(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        # each process has seen only its own images, including substitutes
        self.unreadable = set().union(*all_gather_object(self.unreadable))
        if self.unreadable:
            runner.logger.warning(
                f'{len(self.unreadable)} of {len(runner.train_dataloader.dataset)} images could not be read so far'
            )
        self._check_fraction(runner)

    def _check_fraction(self, runner: Runner) -> None:
        dataset = runner.train_dataloader.dataset
        limit = dataset.max_unreadable if self.max_unreadable is None else self.max_unreadable
        count = len(self.unreadable)
        if count > limit * len(dataset):
            first = '; '.join(sorted(self.unreadable)[:NUM_LISTED])
            raise UserError(
                f'{count} of {len(dataset)} images ({count / len(dataset):.1%}) cannot be read, '
                f'more than the {limit:.1%} allowed, such as: {first}; repair or remove them, or raise '
                'train_dataloader.dataset.max_unreadable'
            )
