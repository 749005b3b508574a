"""Stops a fine-tuning run whose labelled data do not fit its config."""

from collections.abc import Sequence

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmssl_geo.annotations import data_problems
from mmssl_geo.registry import HOOKS
from mmssl_geo.utils.errors import UserError

NUM_LISTED = 5


@HOOKS.register_module()
class AnnotationCheckHook(Hook):
    """Checks the labelled data before the first step of training, validation or testing.

    mmdet and mmseg train on data that almost fit: a category that the config spells differently shifts or drops labels,
    a head with too many classes learns as well, and missing masks fail hours later. The hook reads the annotation files
    of the splits that the run uses, all lists of files, and a sample of 24 label maps or VOC files of each split, in
    the first process.

    Raises:
        UserError: Names what does not fit, in all processes.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._checked: set[str] = set()

    def before_train(self, runner: Runner) -> None:
        self._check(runner, ['train', 'val'] if runner.val_loop is not None else ['train'])

    def before_val(self, runner: Runner) -> None:
        self._check(runner, ['val'])

    def before_test(self, runner: Runner) -> None:
        self._check(runner, ['test'])

    def _check(self, runner: Runner, splits: Sequence[str]) -> None:
        splits = [split for split in splits if split not in self._checked]
        if not splits:
            return
        self._checked.update(splits)
        found = [data_problems(runner.cfg, splits) if is_main_process() else []]
        broadcast_object_list(found)
        problems = found[0]
        if problems:
            more = f'; and {len(problems) - NUM_LISTED} more' if len(problems) > NUM_LISTED else ''
            raise UserError(
                f'the data do not fit the config: {"; ".join(problems[:NUM_LISTED])}{more}. Correct the data or the '
                'config (metainfo.classes, num_classes), or remove default_hooks.annotation_check if this is intended'
            )
