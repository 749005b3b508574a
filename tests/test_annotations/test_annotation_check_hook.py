"""The hook of the shipped configs refuses annotations before the data sets are built, under any runner."""

from types import SimpleNamespace

import pytest
from mmengine.dataset import BaseDataset
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmssl_geo.apis.train import build_runner
from mmssl_geo.engine.hooks import AnnotationCheckHook
from mmssl_geo.utils.errors import UserError
from tests.support.hostile_classes import rename
from tests.support.labelled_drafts import CLASSES, Case, make_draft


@pytest.fixture
def draft(tmp_path, monkeypatch):
    """Makes the config of a damaged data set that can be run."""
    monkeypatch.setattr(Runner, '_log_env', lambda *_: None)  # it starts compilers to ask their versions

    def make(kind, damage=lambda draft: None):
        made = make_draft(Case('', kind, damage, None), tmp_path / 'templates', tmp_path / 'data')
        made.cfg.update(work_dir=str(tmp_path / 'work'), experiment_name=tmp_path.name, launcher='none')
        for split in ('train', 'val', 'test'):
            made.cfg[f'{split}_dataloader'].update(num_workers=0, persistent_workers=False)
        made.cfg.model.backbone.arch = dict(embed_dims=24, num_layers=12, num_heads=3, feedforward_channels=48)
        if 'neck' in made.cfg.model and isinstance(made.cfg.model.neck, list):
            made.cfg.model.neck[0].channels = 24
            made.cfg.model.neck[1].in_channels = [24] * 4
        elif made.cfg.default_scope == 'mmseg':
            made.cfg.model.neck.in_channels = [24] * 4
        made.cfg.sync_bn = None
        return made

    return make


@pytest.fixture
def no_data_set(monkeypatch):
    def fail(self, *args, **kwargs):
        raise AssertionError('a data set was read before it was checked')

    monkeypatch.setattr(BaseDataset, 'full_init', fail)


def test_tools_train_refuses_before_the_data_are_read(draft, no_data_set):
    with pytest.raises(
        UserError, match=r"instances_train2017.json: wrong class list: the file has no 'bolt' \(but 'bolts'"
    ):
        build_runner(draft('masks', rename('bolt', 'bolts')).cfg)


def test_stock_tools_refuse_before_the_data_are_read(draft, no_data_set):
    cfg = draft('boxes', rename('bolt', 'bolts', 'val')).cfg
    runner = RUNNERS.build(cfg)  # as tools/train.py of mmdet does for a config with `runner_type`
    with pytest.raises(UserError, match="instances_val2017.json: wrong class list: the file has no 'bolt'"):
        runner.train()


def test_a_runner_of_mmengine_refuses_before_the_first_step(draft, monkeypatch):
    cfg = draft('boxes', rename('bolt', 'bolts')).cfg
    monkeypatch.setattr('mmdet.models.FasterRCNN.train_step', lambda *_: pytest.fail('a step was taken'))
    runner = Runner.from_cfg(cfg)
    with pytest.raises(UserError, match="the file has no 'bolt'"):
        runner.train()


def test_only_the_splits_of_a_run_are_checked(draft):
    made = draft('maps', lambda draft: draft.label_map('train').unlink())
    runner = RUNNERS.build(made.cfg)
    runner._test_loop = runner.build_test_loop(runner._test_loop)  # the training data are missing
    with pytest.raises(UserError, match='label maps'):
        runner.build_train_loop(runner._train_loop)


def test_the_hook_can_be_removed_and_allow_a_subset(draft):
    def damage(draft):
        draft.set_metainfo(dict(classes=CLASSES[:2]))
        draft.cfg.model.roi_head.bbox_head.num_classes = 2

    made = draft('boxes', damage)
    made.cfg.default_hooks.annotations.allow_subset = True
    runner = RUNNERS.build(made.cfg)
    loop = runner.build_train_loop(runner._train_loop)
    assert len(loop.dataloader.dataset) == 3


class TestClassesOfACheckpoint:
    def check(self, trained_on, tested_on):
        hook = AnnotationCheckHook()
        hook.after_load_checkpoint(None, dict(meta=dict(dataset_meta=dict(classes=trained_on))))
        dataset = SimpleNamespace(metainfo=dict(classes=tested_on))
        hook.before_test(SimpleNamespace(test_dataloader=SimpleNamespace(dataset=dataset)))

    def test_same_classes(self):
        self.check(CLASSES, list(CLASSES))
        self.check(None, CLASSES)
        self.check(CLASSES, None)

    def test_renamed_classes(self):
        self.check(CLASSES, ('gear', 'screw', 'washer'))

    def test_classes_in_another_order(self):
        with pytest.raises(UserError, match="trained with 'bolt' as class 1, but it is class 0"):
            self.check(CLASSES, ('bolt', 'gear', 'washer'))
