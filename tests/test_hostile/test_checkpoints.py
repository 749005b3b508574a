"""Campaign of forged, damaged and unusual checkpoints, read in a process with limited memory."""

import json
import subprocess
import sys

import pytest

from tests.support import ROOT

pytestmark = pytest.mark.hostile


def test_checkpoints(tmp_path):
    command = [sys.executable, '-W', 'ignore', '-m', 'tests.support.hostile_checkpoints', str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert run.returncode == 0, f'ended by {run.returncode} at: {run.stderr[-2000:]}'
    result = json.loads(run.stdout.splitlines()[-1])
    print(f'checkpoints: {result["files"]} files, {len(result["wrong"])} wrong, {result["seconds"]:.0f} s')
    assert not result['wrong']
    assert not result['code_was_run']
    assert result['files'] >= 270
