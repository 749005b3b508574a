"""Every tool refuses an output that cannot be written before it reads any data."""

import sys

import pytest

from mmssl_geo.utils.errors import UserError
from tests.support import ROOT
from tests.support.tools import load_tool

QUICK = str(ROOT / 'configs/gtsa_quickstart.py')
SEGMENTER = str(ROOT / 'configs/downstream/mmseg/semfpn_quickstart_scenes.py')
TOOLS = [
    ('train.py', [QUICK, '--work-dir', 'OUT']),
    ('test.py', [SEGMENTER, 'CKPT', '--out', 'OUT.json']),
    ('convert_checkpoint.py', ['CKPT', 'OUT.pth', '--to', 'mmdet']),
    ('extract_features.py', ['CKPT', 'OUT', '--images', 'IMAGES']),
    ('probe.py', ['CKPT', '--probe', 'knn', '--train', 'IMAGES', '--val', 'IMAGES', '--out', 'OUT.json']),
    ('analyze_geometry.py', ['CKPT', '--images', 'IMAGES', '--out', 'OUT.png']),
    ('analyze_regions.py', ['CKPT', '--images', 'IMAGES', '--out', 'OUT.png']),
    ('browse_views.py', [QUICK, '--images', 'IMAGES', '--out', 'OUT.png']),
    ('attention_maps.py', ['CKPT', 'IMAGE', '--out', 'OUT.png']),
    ('make_scenes.py', ['OUT', '--num', '4']),
    ('benchmark.py', ['quick', '--out', 'OUT']),
    ('speed/gpu_report.py', ['--out', 'OUT.json']),
]


@pytest.mark.parametrize('name, words', TOOLS, ids=[name for name, _ in TOOLS])
def test_an_output_below_a_file(name, words, tmp_path, monkeypatch):
    (tmp_path / 'file').touch()
    (tmp_path / 'a.pth').touch()
    paths = dict(OUT=tmp_path / 'file/sub/out', CKPT=tmp_path / 'a.pth', IMAGES=tmp_path, IMAGE=tmp_path / 'a.png')
    for key, path in sorted(paths.items(), key=lambda item: -len(item[0])):
        words = [word.replace(key, str(path)) if word.split('.')[0] == key else word for word in words]
    monkeypatch.setattr(sys, 'argv', [name, *words])
    with pytest.raises(UserError, match=rf'cannot write {tmp_path}/file/sub/out.*file is a file, not a folder$'):
        load_tool(name).main()
