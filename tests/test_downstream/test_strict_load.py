"""Runs by mmengine's own Runner, as the tools of mmdet and mmseg start it."""

import pickle

import pytest
import torch
from mmengine.runner import Runner
from mmseg.registry import MODELS

from mmssl_geo.utils.errors import UserError

from .conftest import NARROW

SEGMENTER = 'mmseg/semfpn_vitt16_small_camvid-360x480.py'


class Evil:
    """Unpickling it writes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, 'w')


@pytest.fixture
def load_narrow(load_config, camvid_root):
    def load(**options):
        return load_config(
            SEGMENTER,
            **{
                'model.backbone.arch': {'_delete_': True, **NARROW},
                'model.backbone.img_size': 64,
                'model.neck.in_channels': [48] * 4,
                'model.data_preprocessor.size': (64, 96),
                'model.decode_head.channels': 16,
                'train_cfg.max_iters': 2,
                'train_cfg.val_interval': 2,
                **{f'{split}_dataloader.dataset.data_root': str(camvid_root) for split in ('train', 'val', 'test')},
                **{
                    f'{split}_dataloader.{key}': value
                    for split in ('train', 'val', 'test')
                    for key, value in dict(batch_size=1, num_workers=0, persistent_workers=False).items()
                },
                **options,
            },
        )

    return load


@pytest.fixture
def make_runner(load_narrow, tmp_path, monkeypatch):
    monkeypatch.setattr(Runner, '_log_env', lambda *_: None)  # it starts compilers to ask their versions
    count = 0

    def make(**options):
        nonlocal count
        count += 1
        cfg = load_narrow(**options)
        cfg.work_dir = str(tmp_path / 'work')
        cfg.experiment_name = f'{tmp_path.name}_{count}'
        return Runner.from_cfg(cfg)

    return make


@pytest.fixture
def saved(load_narrow, tmp_path):
    """Writes the segmenter's weights, changed by `edit`."""

    def save(edit=lambda state: None):
        state = dict(MODELS.build(load_narrow().model).state_dict())
        edit(state)
        path = tmp_path / 'model.pth'
        torch.save(dict(meta={}, state_dict=state), path)
        return str(path)

    return save


def break_backbone(state):
    state['backbone.pos_embed'] = torch.zeros(1, 5, 48)
    del state['backbone.layers.3.ln2.weight']


def drop_head(state):
    for key in list(state):
        if key.startswith('decode_head'):
            del state[key]


MISFIT = r'1 of \d+ are missing: backbone\.layers\.3\.ln2\.weight; 1 have another shape: backbone\.pos_embed \(file'


@pytest.mark.parametrize('option', ['load_from', 'model.init_cfg'])
def test_training_stops_at_a_misfit_file(make_runner, saved, option):
    path = saved(break_backbone)
    value = path if option == 'load_from' else dict(type='Pretrained', checkpoint=path)
    with pytest.raises(UserError, match=MISFIT) as caught:
        make_runner(**{option: value}).train()
    assert path in str(caught.value)


def test_training_stops_at_a_misfit_backbone_file(make_runner, saved):
    path = saved(break_backbone)
    with pytest.raises(UserError, match=r'1 of \d+ are missing: layers\.3\.ln2\.weight'):
        make_runner(**{'model.backbone.init_cfg.checkpoint': path}).train()


@pytest.mark.parametrize('edit', [lambda state: None, drop_head])
def test_whole_model_and_backbone_alone_can_be_fine_tuned(make_runner, saved, edit):
    runner = make_runner(load_from=saved(edit))
    runner.train()
    assert runner.iter == 2


def test_resuming_an_own_checkpoint(make_runner):
    runner = make_runner(**{'train_cfg.max_iters': 1, 'default_hooks.checkpoint.interval': 1})
    runner.train()
    again = make_runner(resume=True, load_from=f'{runner.work_dir}/iter_1.pth')
    again.train()
    assert again.iter == 2


def test_evaluation_wants_the_whole_model(make_runner, saved):
    metrics = make_runner(load_from=saved()).test()
    assert set(metrics) == {'aAcc', 'mIoU', 'mAcc'}
    with pytest.raises(UserError, match=r'does not fit the model: of its tensors \d+ of \d+ are missing: decode_head'):
        make_runner(load_from=saved(drop_head)).test()


def test_a_file_that_needs_code_is_refused(make_runner, tmp_path):
    touched, path = tmp_path / 'touched', tmp_path / 'evil.pth'
    with open(path, 'wb') as file:
        pickle.dump(dict(state_dict={}, meta=Evil(touched)), file)
    with pytest.raises(UserError, match='evil.pth'):
        make_runner(load_from=str(path)).test()
    assert not touched.exists()
