"""`load_from` in pretraining: all weights of a run of the same method, nothing else."""

import itertools

import pytest
import torch

from mmssl_geo.apis.config import load_config
from mmssl_geo.apis.train import build_runner
from mmssl_geo.utils.errors import UserError
from tests.support import ROOT
from tests.support.pretraining import tiny_settings
from tests.support.regions import write_noise

RUN = itertools.count()


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    return write_noise(tmp_path_factory.mktemp('photos'))


@pytest.fixture
def make_runner(photos, tmp_path):
    def make(method='gtsa', load_from=None, epochs=1):
        name = f'{method}_quickstart.py'
        options = {'train_dataloader.dataset.data_prefix': '', 'train_dataloader.dataset.data_root': str(photos)}
        cfg = load_config(ROOT / 'configs' / name, {**tiny_settings(name), **options}, work_dir=tmp_path / method)
        cfg.model.backbone.arch = dict(embed_dims=24, num_layers=1, num_heads=2, feedforward_channels=48)
        crop = cfg.train_dataloader.dataset.pipeline.crop
        crop.global_size, crop.local_size, crop.num_local = 64, 32, 2
        cfg.train_dataloader.update(batch_size=3, num_workers=0, persistent_workers=False)
        cfg.train_cfg.max_epochs = epochs
        cfg.load_from = load_from and str(load_from)
        cfg.experiment_name = f'load_from_test_{next(RUN)}'
        return build_runner(cfg)

    return make


def test_all_weights_are_loaded_and_the_run_starts_anew(make_runner, tmp_path):
    make_runner().train()
    path = tmp_path / 'gtsa' / 'epoch_1.pth'
    saved = torch.load(path, weights_only=False)['state_dict']
    runner = make_runner(load_from=path)
    runner.load_or_resume()
    assert all(torch.equal(value, saved[key]) for key, value in runner.model.state_dict().items())
    assert runner.epoch == runner.iter == 0 and not runner.optim_wrapper.optimizer.state


@pytest.mark.parametrize('part', ['teacher', 'neck', 'head'])
def test_a_part_that_is_missing_is_an_error(make_runner, tmp_path, part):
    runner = make_runner()
    state = {key: value for key, value in runner.model.state_dict().items() if not key.startswith(part)}
    torch.save(dict(state_dict=state), tmp_path / 'part.pth')
    with pytest.raises(UserError, match=rf'part\.pth does not fit the model: .* are missing: {part}'):
        make_runner(load_from=tmp_path / 'part.pth').train()


def test_the_checkpoint_of_another_method_names_the_export_for_pretraining(make_runner, tmp_path):
    make_runner().train()
    path = tmp_path / 'gtsa' / 'epoch_1.pth'
    with pytest.raises(UserError, match='does not fit the model') as fault:
        make_runner('dino', load_from=path).train()
    assert f'{path} OUT.pth --to mmpretrain' in str(fault.value) and '--to mmdet' not in str(fault.value)
