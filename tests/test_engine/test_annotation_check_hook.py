"""Labelled data that do not fit the config stop a run before its first step."""

from types import SimpleNamespace

import pytest
from mmengine.config import Config

from mmssl_geo.engine import AnnotationCheckHook
from mmssl_geo.utils.errors import UserError
from tests.support import ROOT
from tests.support import hostile_annotations as make

DOWNSTREAM = sorted((ROOT / 'configs/downstream').glob('mm*/*.py'))


@pytest.fixture
def runner(tmp_path):
    make.write_segmentation(tmp_path)
    cfg = Config.fromfile(ROOT / 'configs/downstream' / make.SEGMENTATION)
    cfg.merge_from_dict(make.segmentation_options(tmp_path))
    return SimpleNamespace(cfg=cfg, val_loop=object())


def test_data_that_fit(runner):
    hook = AnnotationCheckHook()
    hook.before_train(runner)
    hook.before_val(runner)
    hook.before_test(runner)


def test_the_splits_of_the_run_are_checked_once(runner, tmp_path):
    runner.cfg.test_dataloader.dataset.data_root = '/nowhere'
    hook = AnnotationCheckHook()
    hook.before_train(runner)  # does not need the test split
    (tmp_path / 'labels/train/0.png').unlink()
    hook.before_val(runner)  # was checked with the training split
    with pytest.raises(UserError, match='/nowhere: no such folder'):
        hook.before_test(runner)


def test_the_first_problems_are_listed(runner, tmp_path):
    runner.cfg.model.decode_head.num_classes = 12
    with pytest.raises(UserError, match=r'do not fit the config: .*12 classes, the data 11.*metainfo\.classes'):
        AnnotationCheckHook().before_train(runner)


@pytest.mark.parametrize('path', DOWNSTREAM, ids=lambda path: path.stem)
def test_every_downstream_config_has_the_hook(path):
    assert Config.fromfile(path).default_hooks.annotation_check.type == 'mmssl_geo.AnnotationCheckHook'
