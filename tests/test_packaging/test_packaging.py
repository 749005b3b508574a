import subprocess
import sys
import zipfile

import pytest

from tests.support import ROOT


@pytest.mark.slow
def test_the_wheel_carries_configs_and_tools_and_forces_no_openmmlab(tmp_path):
    subprocess.run(
        [
            sys.executable,
            '-m',
            'pip',
            'wheel',
            '-q',
            '--no-deps',
            '--no-build-isolation',
            '-w',
            str(tmp_path),
            str(ROOT),
        ],
        check=True,
    )
    with zipfile.ZipFile(next(tmp_path.glob('*.whl'))) as wheel:
        names = set(wheel.namelist())
        metadata = next(wheel.read(name).decode() for name in names if name.endswith('METADATA'))
    for folder in ('configs', 'tools'):
        for path in (ROOT / folder).rglob('*.py'):
            assert f'mmssl_geo/.mim/{path.relative_to(ROOT).as_posix()}' in names
    assert {'mmssl_geo/.mim/model-index.yml', 'mmssl_geo/.mim/configs/metafile.yml'} <= names
    assert 'Requires-Dist: torch>=2.1' in metadata
    assert not any(f'Requires-Dist: {name}' in metadata for name in ('onedl', 'mmcv', 'mmengine', 'mmdet', 'mmseg'))
