"""Hides messages of mmengine that concern its own code and not the run."""

import logging

NOTICES = (
    '"FileClient" will be deprecated',  # mmengine's CheckpointHook creates one
    '"HardDiskBackend" is the alias',
    '`save_param_scheduler` is True but `self.param_schedulers` is None',  # hooks set the schedules
    '`resume_param_scheduler` is True but `self.param_schedulers` is None',
)


class _NoticeFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith(NOTICES)


_NOTICE_FILTER = _NoticeFilter()


def hide_mmengine_notices(logger: logging.Logger) -> None:
    """Hides the messages that begin with one of `NOTICES`; further calls for the same logger have no effect."""
    logger.addFilter(_NOTICE_FILTER)
