import itertools
import os
import time
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from mmssl_geo.apis.config import load_config
from mmssl_geo.apis.resume import checkpoints_newest_first, find_checkpoint
from mmssl_geo.apis.train import _allow_code, build_runner, leave_process_group
from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.paths import resource_root
from tests.support import ROOT
from tests.support.pretraining import TINY

RUN = itertools.count()
CONFIG = ROOT / 'configs/gtsa_vits16_coco.py'


def test_overrides_and_work_dir():
    cfg = load_config(CONFIG, {'train_cfg.max_epochs': 7})
    assert cfg.train_cfg.max_epochs == 7 and cfg.work_dir == 'work_dirs/gtsa_vits16_coco'
    assert load_config(CONFIG, work_dir='elsewhere').work_dir == 'elsewhere'


def test_crops_are_overridden_by_name():
    cfg = load_config(CONFIG, {'train_dataloader.dataset.pipeline.crop.global_size': 64})
    assert cfg.train_dataloader.dataset.pipeline.crop.global_size == 64
    assert list(cfg.train_dataloader.dataset.pipeline) == ['crop', 'photometric', 'turns', 'pack']


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


@pytest.mark.parametrize(
    'key,hint', [('optim_wraper.dtype', 'no optim_wraper; did you mean optim_wrapper\\?'), ('zzz', 'no zzz$')]
)
def test_a_misspelt_override(key, hint):
    with pytest.raises(UserError, match=hint):
        load_config(CONFIG, {key: 1})


@pytest.mark.parametrize(
    'overrides,message',
    [
        ({'train_dataloader.dataset.pipeline.crop.global_sise': 64}, 'cannot be built: .*global_sise'),
        ({'model.backbone.nope': 3}, 'cannot be built: .*nope'),
        ({'model.backbone.arch': 'deit-huge'}, 'cannot be built: .*deit-huge'),
        ({'train_dataloader.batch_size': 0}, 'train_dataloader: batch_size must be a positive whole number, got 0'),
        ({'default_hooks.schedul.warmup_epochs': 1}, 'cannot be built: '),
        ({'train_dataloader.dataset.data_root': 2024}, 'data_root must be a path, got 2024'),
        ({'train_dataloader.dataset.data_root': '/nowhere'}, 'the image folder /nowhere.* does not exist'),
    ],
)
def test_what_cannot_be_built_is_one_sentence(overrides, message, tmp_path):
    Image.new('RGB', (40, 30)).save(tmp_path / 'a.png')
    data = {'train_dataloader.dataset.data_root': str(tmp_path), 'train_dataloader.dataset.data_prefix': ''}
    options = {**TINY, **data, **overrides, 'experiment_name': f'launch_test_{next(RUN)}'}
    with pytest.raises(UserError, match=message) as fault:
        build_runner(load_config(CONFIG, options, work_dir=str(tmp_path / 'work')))
    assert '\n' not in str(fault.value)


def test_a_work_dir_that_is_a_file(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(UserError, match='cannot write .*/file/log: .*/file is a file, not a folder'):
        load_config(CONFIG, work_dir=str(tmp_path / 'file'))


def test_a_damaged_checkpoint_names_the_others(tmp_path):
    torch.save(dict(state_dict={}), tmp_path / 'epoch_1.pth')
    (tmp_path / 'epoch_2.pth').write_bytes(b'damaged')
    with pytest.raises(UserError, match='epoch_2.pth.*Other checkpoints, newest first: .*epoch_1.pth'):
        build_runner(load_config(CONFIG, work_dir=str(tmp_path)), resume=str(tmp_path / 'epoch_2.pth'))


def test_resume_takes_the_newest_whole_checkpoint(tmp_path, capsys):
    """After a kill: the note is empty, the newest file is half-written, an export lies beside them."""
    for age, name, content in (
        (40, 'epoch_1.pth', dict(optimizer={})),
        (30, 'epoch_2.pth', dict(optimizer={})),
        (20, 'export.pth', dict(meta={})),
    ):
        torch.save(dict(state_dict={}, **content), tmp_path / name)
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    (tmp_path / 'epoch_3.pth').write_bytes((tmp_path / 'epoch_2.pth').read_bytes()[:100])
    (tmp_path / 'last_checkpoint').touch()
    assert find_checkpoint('auto', tmp_path) == str(tmp_path / 'epoch_2.pth')
    assert 'skips' in capsys.readouterr().err
    for name in ('epoch_1.pth', 'epoch_2.pth'):
        (tmp_path / name).unlink()
    with pytest.raises(UserError, match='found no checkpoint in .*Skipped: .*epoch_3.pth'):
        find_checkpoint('auto', tmp_path)


class Evil:
    def __reduce__(self):
        return exec, ('raise SystemExit("the checkpoint ran code")',)


def test_a_checkpoint_that_runs_code_is_refused(tmp_path):
    path = tmp_path / 'evil.pth'
    torch.save(dict(state_dict={}, payload=Evil()), path)
    cfg = load_config(CONFIG, work_dir=str(tmp_path))
    with pytest.raises(UserError, match='exec'):
        build_runner(cfg, resume=str(path))


class Harmless:
    def __reduce__(self):
        return pow, (2, 3)


def test_allow_unsafe_reaches_every_reader(tmp_path):
    """By the flag only: the file to resume from, the strict-loading hook and the backbone's own file."""
    torch.save(dict(optimizer={}, payload=Harmless()), tmp_path / 'epoch_1.pth')
    with pytest.raises(UserError, match='Skipped: .*pow'):
        find_checkpoint('auto', tmp_path)
    assert find_checkpoint('auto', tmp_path, allow_code=True) == str(tmp_path / 'epoch_1.pth')
    detector = load_config(ROOT / 'configs/downstream/mmdet/mask-rcnn_vits16_gtsa_fpn_1x_coco.py')
    _allow_code(detector)
    assert detector.default_hooks.strict_load.allow_code
    backbone = MODELS.build(
        {
            **detector.model.backbone,
            'arch': 'deit-tiny',
            'init_cfg': {**detector.model.backbone.init_cfg, 'checkpoint': str(tmp_path / 'epoch_1.pth')},
        }
    )
    with pytest.raises(UserError, match='does not fit the backbone'):
        backbone.init_weights()  # it was read, and then found not to fit


def test_allow_unsafe_reaches_both_parts_of_a_c4_detector():
    detector = load_config(ROOT / 'configs/downstream/mmdet/mask-rcnn_r50_d3ssl_c4_1x_coco.py')
    _allow_code(detector)
    assert detector.model.backbone.init_cfg.allow_code and detector.model.roi_head.shared_head.init_cfg.allow_code


@pytest.mark.skipif(torch.cuda.is_available(), reason='about machines without a GPU')
def test_slurm_needs_gpus(tmp_path):
    cfg = load_config(CONFIG, work_dir=str(tmp_path), launcher='slurm')
    with pytest.raises(UserError, match='use tools/dist_train.sh'):
        build_runner(cfg)


def test_more_processes_than_gpus(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '8')
    with pytest.raises(UserError, match='8 processes were started on this machine, which has 2 GPUs'):
        build_runner(load_config(CONFIG, work_dir=str(tmp_path)))


def test_amp_for_an_unknown_wrapper(tmp_path):
    cfg = load_config(CONFIG, {'optim_wrapper.type': 'Mine'}, work_dir=str(tmp_path))
    with pytest.raises(UserError, match='does not support the optimizer wrapper Mine'):
        build_runner(cfg, amp=True)


def test_configs_and_tools_lie_in_the_checkout():
    assert (resource_root() / 'configs').is_dir() and (resource_root() / 'tools').is_dir()


def test_the_process_group_is_left_in_order(tmp_path):
    torch.distributed.init_process_group('gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1)
    runner = SimpleNamespace(model=object())
    leave_process_group(runner)
    assert not torch.distributed.is_initialized() and runner.model is None
    leave_process_group(runner)  # nothing to leave in a run of one process


def test_temporary_files_are_no_checkpoints_to_resume_from(tmp_path):
    for name in ('epoch_1.pth', '.host-12.epoch_2.pth'):
        (tmp_path / name).touch()
    assert [path.name for path in checkpoints_newest_first(tmp_path)] == ['epoch_1.pth']
