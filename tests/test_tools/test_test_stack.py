import re
import subprocess
from pathlib import Path

import pytest

from mmssl_geo.utils.versions import MINIMUM, check_versions

ROOT = Path(__file__).parents[2]
IMPORT_NAMES = {'mmdetection': 'mmdet', 'mmsegmentation': 'mmseg'}


def packages(path):
    """Version by import name (an empty one without a pin), of all lines."""
    lines = [line for line in (ROOT / path).read_text().splitlines() if not line.startswith('#')]
    parts = [re.fullmatch(r'(?:onedl-)?([\w-]+)(?:==([\d.]+))?.*', line).groups() for line in lines]
    return {IMPORT_NAMES.get(name, name): version or '' for name, version in parts}


@pytest.mark.parametrize('path', ['requirements.txt', 'tools/stacks/openmmlab.txt'])
def test_the_pinned_versions_are_supported(path):
    check_versions(MINIMUM, packages(path))


def test_all_stacks_have_the_same_packages():
    tools = {'ruff', 'mypy', 'setuptools'}
    pinned = packages('requirements.txt').keys() - tools
    for name in ('openmmlab', 'newest'):
        assert packages(f'tools/stacks/{name}.txt').keys() - tools == pinned


def test_an_unknown_stack_is_answered_with_the_usage():
    done = subprocess.run(['bash', ROOT / 'tools' / 'test_stack.sh', 'oldest'], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count('\n') == 8 and 'openmmlab   tools/stacks' in done.stderr
