import json
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

CONFIGS = Path(__file__).parents[2] / 'configs' / 'downstream'
# widths and sizes for a test; depth and everything else are the config's
NARROW = dict(embed_dims=48, num_layers=12, num_heads=3, feedforward_channels=96)


@pytest.fixture
def load_config():
    """Loads a config and makes its package the default scope until the test ends."""
    with ExitStack() as stack:
        def load(name, **options):
            cfg = Config.fromfile(CONFIGS / name)
            cfg.merge_from_dict(options)
            stack.enter_context(DefaultScope.overwrite_default_scope(cfg.default_scope))
            return cfg
        yield load


def write_photo(path, rng, size=(64, 96)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 255, (*size, 3), dtype=np.uint8)).save(path)


@pytest.fixture(scope='session')
def coco_root(tmp_path_factory):
    """A COCO-style folder: two images of 96 x 64 in each split, with one car and one person."""
    root, rng = tmp_path_factory.mktemp('coco'), np.random.default_rng(0)
    for split in ('train2017', 'val2017'):
        images = [dict(id=i, file_name=f'{i}.jpg', height=64, width=96) for i in range(2)]
        boxes = [[8, 8, 40, 40], [50, 10, 36, 44]]
        annotations = [
            dict(id=2 * i + j + 1, image_id=i, category_id=(1, 3)[j], bbox=box, area=box[2] * box[3], iscrowd=0,
                 segmentation=[[box[0], box[1], box[0] + box[2], box[1], box[0] + box[2], box[1] + box[3],
                                box[0], box[1] + box[3]]])
            for i in range(2) for j, box in enumerate(boxes)]
        for image in images:
            write_photo(root / split / image['file_name'], rng)
        path = root / 'annotations' / f'instances_{split}.json'
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(dict(
            images=images, annotations=annotations,
            categories=[dict(id=1, name='person'), dict(id=3, name='car')])))
    return root


@pytest.fixture(scope='session')
def camvid_root(tmp_path_factory):
    """CamVid's layout: two images of 96 x 64 in each split; left half class 0, right half 3, a border to ignore."""
    root, rng = tmp_path_factory.mktemp('camvid'), np.random.default_rng(0)
    label = np.zeros((64, 96), np.uint8)
    label[:, 48:] = 3
    label[:2] = 255
    for split in ('train', 'val', 'test'):
        for i in range(2):
            write_photo(root / 'images' / split / f'{i}.jpg', rng)
            path = root / 'labels' / split / f'{i}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(label).save(path)
    return root
