from contextlib import ExitStack
from pathlib import Path

import pytest
from mmdet.datasets import CocoDataset
from mmengine.config import Config
from mmengine.registry import DefaultScope

from tests.support.tiny_data.ade20k import write_ade20k
from tests.support.tiny_data.camvid import write_camvid
from tests.support.tiny_data.cityscapes import write_cityscapes
from tests.support.tiny_data.coco import write_coco
from tests.support.tiny_data.inat import write_inat
from tests.support.tiny_data.voc import write_voc

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


@pytest.fixture(scope='session')
def coco_root(tmp_path_factory):
    return write_coco(tmp_path_factory.mktemp('coco'), CocoDataset.METAINFO['classes'])


@pytest.fixture(scope='session')
def voc_root(tmp_path_factory):
    return write_voc(tmp_path_factory.mktemp('VOCdevkit'))


@pytest.fixture(scope='session')
def camvid_root(tmp_path_factory):
    return write_camvid(tmp_path_factory.mktemp('camvid'))


@pytest.fixture(scope='session')
def ade20k_root(tmp_path_factory):
    return write_ade20k(tmp_path_factory.mktemp('ADEChallengeData2016'))


@pytest.fixture(scope='session')
def cityscapes_root(tmp_path_factory):
    return write_cityscapes(tmp_path_factory.mktemp('cityscapes'))


@pytest.fixture(scope='session')
def inat_root(tmp_path_factory):
    return write_inat(tmp_path_factory.mktemp('inat19'))
