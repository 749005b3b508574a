import subprocess
import sys


def test_geometry_needs_no_openmmlab():
    code = (
        'import sys\n'
        'sys.modules.update({name: None for name in ("mmengine", "mmcv", "mmpretrain", "mmdet", "mmseg")})\n'
        'import mmssl_geo.geometry\n'
    )
    subprocess.run([sys.executable, '-c', code], check=True)
