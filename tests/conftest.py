import logging
import os
import random

import numpy as np
import pytest
import torch

from tests.support.tools import ToolRunner

logging.raiseExceptions = False  # loggers of earlier tests write to streams that pytest has closed

os.environ.setdefault('OMP_NUM_THREADS', '2')


@pytest.fixture(autouse=True)
def _fixed_randomness():
    random.seed(0)
    np.random.seed(0)  # transforms of mmcv and mmseg use the global generators
    torch.manual_seed(0)


@pytest.fixture
def default_scope():
    """mmengine keeps its default scope for the whole process; tests put the old one back."""
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope('mmssl_geo'):
        yield


@pytest.fixture
def run_tool(monkeypatch, capsys):
    """Runs a command-line tool in this process, see `tests.support.tools.ToolRunner`."""
    return ToolRunner(monkeypatch, capsys)
