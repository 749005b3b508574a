"""Messages of mmengine that say nothing about the run are hidden; others are not."""

import logging

import torch
from mmengine.fileio import FileClient
from mmengine.logging import MMLogger

from mmssl_geo.engine import RemovableHooksRunner
from mmssl_geo.engine.log_filter import NOTICES, hide_mmengine_notices
from tests.support.regions import make_runs_start_quickly


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


def test_the_runner_hides_them_from_fine_tuning_too(tmp_path, monkeypatch):
    make_runs_start_quickly(monkeypatch)
    runner = RemovableHooksRunner(
        torch.nn.Linear(2, 2), str(tmp_path), experiment_name='log_filter_runner', log_level='WARNING'
    )
    shown = []
    monkeypatch.setattr(runner.logger, 'callHandlers', lambda record: shown.append(record.getMessage()))
    for notice in (*NOTICES, 'a warning'):
        runner.logger.warning(notice)
    assert shown == ['a warning']
