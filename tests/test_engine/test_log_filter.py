"""Messages of mmengine that say nothing about the run are hidden; others are not."""

import logging

from mmengine.fileio import FileClient
from mmengine.logging import MMLogger

from mmssl_geo.engine.log_filter import hide_mmengine_notices


def test_only_the_named_messages_are_hidden(monkeypatch):
    logger = MMLogger.get_instance('log_filter')
    shown = []
    monkeypatch.setattr(logger, 'callHandlers', lambda record: shown.append(record.getMessage()))
    FileClient('disk')
    assert shown[0].startswith('"FileClient" will be deprecated'), 'mmengine still logs it'
    hide_mmengine_notices(logger)
    hide_mmengine_notices(logger)
    shown.clear()
    FileClient('disk')
    logger.warning('`resume_param_scheduler` is True but `self.param_schedulers` is None, so skip resuming')
    logger.warning('the checkpoint lacks "FileClient" will be deprecated')
    assert shown == ['the checkpoint lacks "FileClient" will be deprecated']
    assert len(logger.filters) == 1 and logger.level <= logging.WARNING


def test_a_run_logs_no_notices_of_mmengine(tmp_path, monkeypatch, train):
    warnings = []

    def record_warnings(self, record):
        if record.levelno == logging.WARNING:
            warnings.append(record.getMessage())

    monkeypatch.setattr(MMLogger, 'callHandlers', record_warnings)
    checkpoint = dict(by_epoch=False, interval=2)
    train(tmp_path, stop_after=5, checkpoint=checkpoint)
    train(tmp_path, resume=True, checkpoint=checkpoint)
    assert warnings == []
