"""Stops a run whose labelled data do not fit its config."""

import time
from collections.abc import Sequence
from typing import Any

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmssl_geo.annotations import SPLITS, annotation_problems, refuse_problems
from mmssl_geo.annotations.coco import forget_files
from mmssl_geo.registry import HOOKS
from mmssl_geo.utils.errors import UserError


@HOOKS.register_module()
class AnnotationCheckHook(Hook):
    """Checks the annotations of a downstream config before the first step, see `mmssl_geo.annotations`.

    With `RemovableHooksRunner` they are checked before the data sets are read, with another runner before the run. In
    a test, the classes of the data are also compared with those that the checkpoint was trained on. Only the first
    process reads the files.

    Args:
        allow_subset: Whether the annotation files may have classes that the config leaves out on purpose.
    """

    priority = 'VERY_HIGH'

    def __init__(self, allow_subset: bool = False) -> None:
        self.allow_subset = allow_subset
        self._checked: set[str] = set()
        self._trained_on: tuple[str, ...] = ()

    def before_build_loop(self, runner: Runner, splits: Sequence[str]) -> None:
        """Checks the data of these splits.

        Raises:
            UserError: If the annotations do not fit the config.
        """
        splits = [split for split in splits if split not in self._checked]
        if not splits:
            return
        self._checked.update(splits)
        start = time.monotonic()
        found: list[list[str] | None] = [None]
        if is_main_process():
            found = [annotation_problems(runner.cfg, splits, self.allow_subset)]
            forget_files()
        broadcast_object_list(found)
        refuse_problems(found[0] or [])
        runner.logger.info(f'annotations of {" and ".join(splits)} checked in {time.monotonic() - start:.1f} s')

    def before_run(self, runner: Runner) -> None:
        """Checks the splits whose loops are built, unless they are checked already.

        Raises:
            UserError: If the annotations do not fit the config.
        """
        loops = {split: getattr(runner, f'_{split}_loop', None) for split in SPLITS}
        self.before_build_loop(runner, [split for split, loop in loops.items() if isinstance(loop, BaseLoop)])

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keeps the class names that the model was trained on."""
        trained_on = (checkpoint.get('meta') or {}).get('dataset_meta') or {}
        self._trained_on = tuple(trained_on.get('classes') or ())

    def before_test(self, runner: Runner) -> None:
        """Compares the classes of the test data with those that the model was trained on.

        Raises:
            UserError: If a class has another index.
        """
        metainfo = getattr(runner.test_dataloader.dataset, 'metainfo', None) or {}
        names = tuple(metainfo.get('classes') or ())
        for index, name in enumerate(names):
            if name in self._trained_on and self._trained_on.index(name) != index:
                raise UserError(
                    f'the checkpoint was trained with {name!r} as class {self._trained_on.index(name)}, but it is '
                    f'class {index} of the test data: set metainfo classes of test_dataloader as in training'
                )
