import subprocess
import sys

import numpy as np
from PIL import Image

from tests.support import ROOT


def test_d3ssl_views_are_drawn(tmp_path):
    folder = tmp_path / 'photos'
    folder.mkdir()
    for number in range(2):
        noise = np.random.default_rng(number).integers(0, 256, (50, 70, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f'{number}.png')
    run = subprocess.run(
        [
            sys.executable,
            ROOT / 'tools/browse_views.py',
            ROOT / 'configs/_base_/datasets/d3ssl_regions.py',
            '--images',
            folder,
            '--index',
            '0',
            '1',
            '--out',
            tmp_path / 'regions_{index}.png',
            '--cfg-options',
            'train_dataloader.dataset.pipeline.views.size=64',
        ],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count('5 views of') == 2
    pictures = [np.asarray(Image.open(tmp_path / f'regions_{index}.png')) for index in range(2)]
    assert all(picture.shape[1] == 1500 for picture in pictures) and (pictures[0] != pictures[1]).any()
