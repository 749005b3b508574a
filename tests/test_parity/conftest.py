import shutil

import numpy as np
import pytest

from mmssl_geo.apis.config import load_config
from mmssl_geo.parity import Reference
from tests.support import ROOT

SET = ROOT / 'tests' / 'data' / 'parity'


@pytest.fixture(scope='session')
def reference():
    return Reference.read(SET)


@pytest.fixture(scope='session')
def cfg():
    return load_config(ROOT / 'configs/gtsa_vits16_coco.py')


@pytest.fixture
def folder(tmp_path):
    """A copy of the reference set."""
    return shutil.copytree(SET, tmp_path / 'set')


@pytest.fixture
def rewrite():
    """Applies a function to the dict of arrays of a file."""

    def rewrite_file(path, change):
        with np.load(path) as file:
            arrays = dict(file)
        change(arrays)
        np.savez(path, **arrays)

    return rewrite_file


@pytest.fixture
def main(run_tool, capsys):
    """Calls the tool's `main`; returns (exit status, its output, its errors)."""

    def run(folder):
        status = run_tool.main('check_parity.py', folder)
        return status, *capsys.readouterr()

    return run
