"""mmengine's runner with hooks that can be removed and a log without notices of mmengine."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.runner import BaseLoop, Runner

from mmssl_geo.registry import RUNNERS

from .log_filter import hide_mmengine_notices

DEFAULT_HOOKS = ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint')
"""Hooks that mmengine registers unless their config is None."""


@RUNNERS.register_module()
class RemovableHooksRunner(Runner):
    """Runner for configs in which None removes any hook of `default_hooks` and `custom_hooks`.

    mmengine accepts None for its own default hooks only. The log omits the messages in `log_filter.NOTICES`. Hooks with
    a method `before_build_loop(runner, splits)` are called before the data sets of these splits are read.
    """

    def build_logger(
        self,
        log_level: int | str = 'INFO',
        log_file: str | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> MMLogger:
        """Builds mmengine's logger and hides the notices."""
        logger = super().build_logger(log_level, log_file, **kwargs)
        hide_mmengine_notices(logger)
        return logger

    def register_default_hooks(self, hooks: Mapping[str, Hook | dict[str, Any] | None] | None = None) -> None:
        """Registers mmengine's default hooks and those of the config, except for those that are None."""
        hooks = hooks or {}
        super().register_default_hooks(
            {name: hook for name, hook in hooks.items() if hook is not None or name in DEFAULT_HOOKS}
        )

    def register_custom_hooks(self, hooks: Sequence[Hook | dict[str, Any] | None]) -> None:
        """Registers the hooks that are not None."""
        super().register_custom_hooks([hook for hook in hooks if hook is not None])

    def build_train_loop(self, loop: BaseLoop | dict[str, Any]) -> BaseLoop:
        """Builds the training loop, after the hooks have checked the data of training and validation."""
        self._before_build(loop, ['train'] + (['val'] if self._val_loop is not None else []))
        return super().build_train_loop(loop)

    def build_val_loop(self, loop: BaseLoop | dict[str, Any]) -> BaseLoop:
        """Builds the validation loop, after the hooks have checked its data."""
        self._before_build(loop, ['val'])
        return super().build_val_loop(loop)

    def build_test_loop(self, loop: BaseLoop | dict[str, Any]) -> BaseLoop:
        """Builds the test loop, after the hooks have checked its data."""
        self._before_build(loop, ['test'])
        return super().build_test_loop(loop)

    def _before_build(self, loop: BaseLoop | dict[str, Any], splits: list[str]) -> None:
        if not isinstance(loop, BaseLoop):
            self.call_hook('before_build_loop', splits=splits)
