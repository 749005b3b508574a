"""mmengine's runner with hooks that can be removed and a log without notices of mmengine."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.runner import Runner

from mmssl_geo.registry import RUNNERS

from .log_filter import hide_mmengine_notices

DEFAULT_HOOKS = ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint')
"""Hooks that mmengine registers unless their config is None."""


@RUNNERS.register_module()
class RemovableHooksRunner(Runner):
    """Runner for configs in which None removes any hook of `default_hooks` and `custom_hooks`.

    mmengine accepts None for its own default hooks only. The log omits the messages in `log_filter.NOTICES`.
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
