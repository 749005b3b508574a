"""Campaign of damaged, forged and unusual image files."""

import json
import subprocess
import sys

import pytest

from tests.support import ROOT

pytestmark = pytest.mark.hostile


def test_images(tmp_path):
    command = [sys.executable, '-W', 'ignore', '-m', 'tests.support.hostile_images', str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert run.returncode == 0, f'ended by {run.returncode} at: {run.stderr[-2000:]}'
    result = json.loads(run.stdout.splitlines()[-1])
    print(f'images: {result["files"]} files, {len(result["wrong"])} wrong, {result["seconds"]:.0f} s')
    assert not result['wrong']
    assert result['files'] >= 300
    noise = [line for line in run.stderr.splitlines() if not line.split(' ')[0].isdigit()]
    assert all(line.startswith(str(tmp_path)) for line in noise), 'a warning of a decoder without the name of the file'
