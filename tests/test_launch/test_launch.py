import pytest
import torch

from mmssl_geo.errors import UserError
from mmssl_geo.launch import build_runner, load_config
from mmssl_geo.resources import resource_root
from tests.helpers import ROOT

CONFIG = ROOT / 'configs/gtsa_vits16_coco.py'


def test_overrides_and_work_dir():
    cfg = load_config(CONFIG, {'train_cfg.max_epochs': 7})
    assert cfg.train_cfg.max_epochs == 7 and cfg.work_dir == 'work_dirs/gtsa_vits16_coco'
    assert load_config(CONFIG, work_dir='elsewhere').work_dir == 'elsewhere'


def test_crops_are_overridden_by_name():
    cfg = load_config(CONFIG, {'train_dataloader.dataset.pipeline.crop.global_size': 64})
    assert cfg.train_dataloader.dataset.pipeline.crop.global_size == 64
    assert list(cfg.train_dataloader.dataset.pipeline) == ['crop', 'photometrics', 'turns', 'pack']


def test_a_missing_config():
    with pytest.raises(UserError, match='there is no config file nowhere.py'):
        load_config('nowhere.py')


def test_a_config_that_is_no_python(tmp_path):
    path = tmp_path / 'broken.py'
    path.write_text('model = dict(')
    with pytest.raises(UserError, match='broken.py cannot be used: SyntaxError'):
        load_config(path)


def test_nothing_to_resume(tmp_path):
    cfg = load_config(CONFIG, work_dir=str(tmp_path))
    with pytest.raises(UserError, match='--resume found no checkpoint'):
        build_runner(cfg, resume='auto')
    with pytest.raises(UserError, match='gone.pth'):
        build_runner(cfg, resume=str(tmp_path / 'gone.pth'))


class Evil:

    def __reduce__(self):
        return exec, ('raise SystemExit("the checkpoint ran code")',)


def test_a_checkpoint_that_runs_code_is_refused(tmp_path):
    path = tmp_path / 'evil.pth'
    torch.save(dict(state_dict={}, payload=Evil()), path)
    cfg = load_config(CONFIG, work_dir=str(tmp_path))
    with pytest.raises(UserError, match='exec'):
        build_runner(cfg, resume=str(path))


@pytest.mark.skipif(torch.cuda.is_available(), reason='about machines without a GPU')
def test_slurm_needs_gpus(tmp_path):
    cfg = load_config(CONFIG, work_dir=str(tmp_path), launcher='slurm')
    with pytest.raises(UserError, match='use tools/dist_train.sh'):
        build_runner(cfg)


def test_amp_for_an_unknown_wrapper(tmp_path):
    cfg = load_config(CONFIG, {'optim_wrapper.type': 'Mine'}, work_dir=str(tmp_path))
    with pytest.raises(UserError, match='does not know the optimizer wrapper Mine'):
        build_runner(cfg, amp=True)


def test_configs_and_tools_lie_in_the_checkout():
    assert (resource_root() / 'configs').is_dir() and (resource_root() / 'tools').is_dir()
