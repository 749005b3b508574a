"""The command lines of docs/gtsa.md's ablations, from the spelling of each key to a training step."""

import importlib.util
import re
import shlex
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from mmssl_geo.apis.config import load_config
from mmssl_geo.apis.train import build_runner
from tests.support import ROOT
from tests.support.pretraining import TINY

SECTION = (ROOT / 'docs/gtsa.md').read_text().split('## Ablations')[1].split('\n## ')[0]
COMMANDS = re.findall(r'^    python tools/train\.py (.*)$', SECTION.replace('\\\n', ' '), re.MULTILINE)
TABLE_KEYS = re.findall(r'^\|[^|]*\| `([^`]*)` \|', SECTION, re.MULTILINE)


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp('photos')
    rng = np.random.default_rng(0)
    for index in range(4):
        Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)).save(folder / f'{index}.png')
    return folder


def train_arguments(command, monkeypatch):
    """Options that `tools/train.py` parses from a command line."""
    spec = importlib.util.spec_from_file_location('train_tool', ROOT / 'tools/train.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.setattr(sys, 'argv', ['train.py', *shlex.split(command)])
    monkeypatch.setenv('LOCAL_RANK', '0')
    return tool.parse_args()


def runner_of(args, photos, tmp_path):
    """The runner of a command line with a small network and small views, for one iteration of four images."""
    path = ROOT / args.config
    cfg = load_config(path, {}, work_dir=str(tmp_path / args.work_dir))
    cfg.model.backbone.pop('arch')
    cfg.model.backbone.arch = dict(embed_dims=24, num_layers=1, num_heads=2, feedforward_channels=48)
    cfg.merge_from_dict(
        {
            **TINY,
            'train_dataloader.dataset.data_root': str(photos),
            'train_dataloader.dataset.data_prefix': '',
            'train_dataloader.dataset.pipeline.crop.global_size': 64,
            'train_dataloader.dataset.pipeline.crop.local_size': 32,
            'train_dataloader.dataset.pipeline.crop.num_local': 2,
            'train_dataloader.batch_size': 4,
            'train_dataloader.num_workers': 0,
            'train_cfg.max_epochs': 1,
            'default_hooks.schedule.warmup_epochs': 0,  # the first learning rate is not 0
            'experiment_name': f'ablation_{args.work_dir}'.replace('/', '_'),
        }
    )
    cfg.merge_from_dict(args.cfg_options)
    return build_runner(cfg)


def student_parameters(model):
    return {name: param for name, param in model.named_parameters() if not name.startswith('teacher.')}


def test_every_key_of_the_table_has_a_run():
    assert TABLE_KEYS == [
        'model.head.rotation_targets=invariant',
        'model.head.rotation_head=None',
        'train_dataloader.dataset.pipeline.turns=None',
        'model.head.crop_targets=invariant',
        'model.head.crop_targets=local_invariant',
        'model.head.crop_targets=global_invariant',
        'train_dataloader.dataset.pipeline.crop.num_local=0',
        'model.head.correspondence_loss=None',
        'model.head.gate_correspondence=False',
        'model.head.crop_loss=None',
    ]
    assert {word for command in COMMANDS for word in command.split('--cfg-options')[1].split()} == set(TABLE_KEYS)
    work_dirs = [shlex.split(command)[2] for command in COMMANDS]
    assert len(set(work_dirs)) == len(COMMANDS) == 12


@pytest.mark.parametrize('command', COMMANDS, ids=[shlex.split(command)[2].split('/')[1] for command in COMMANDS])
def test_a_documented_run_trains_the_whole_student(command, monkeypatch, photos, tmp_path):
    runner = runner_of(train_arguments(command, monkeypatch), photos, tmp_path)
    runner.model.init_weights()
    model, batch = runner.model, next(iter(runner.train_dataloader))
    for epoch in (0, 11):  # with the gate closed and open, if there is one
        model.set_epoch(epoch, warmup_epochs=10)
        model.zero_grad(set_to_none=True)
        total, _ = model.parse_losses(model(**model.data_preprocessor(batch), mode='loss'))
        total.backward()
        for name, param in model.named_parameters():
            is_reached = param.grad is not None and param.grad.abs().sum() > 0
            assert is_reached != name.startswith('teacher.'), (epoch, name)
    before = {name: param.detach().clone() for name, param in student_parameters(model).items()}
    runner.train()
    assert runner.iter == 1
    for name, param in student_parameters(model).items():
        assert param.isfinite().all() and not torch.equal(param, before[name]), name


def test_without_turns_all_views_are_upright(monkeypatch, photos, tmp_path):
    command = 'configs/gtsa_vits16_coco.py --work-dir {} --cfg-options train_dataloader.batch_size=4'
    turned = next(
        iter(runner_of(train_arguments(command.format('on'), monkeypatch), photos, tmp_path).train_dataloader)
    )
    upright = next(
        iter(
            runner_of(
                train_arguments(command.format('off') + ' train_dataloader.dataset.pipeline.turns=None', monkeypatch),
                photos,
                tmp_path,
            ).train_dataloader
        )
    )
    assert turned['turns'].unique().tolist() == [0, 1, 2, 3] and upright['turns'].unique().tolist() == [0]
    assert torch.equal(turned['crop_boxes_src'], upright['crop_boxes_src'])
    for kind, first in (('global', 0), ('local', 2)):
        for image, view in np.ndindex(turned['inputs'][kind].shape[:2]):
            back = torch.rot90(turned['inputs'][kind][image, view], -int(turned['turns'][image, first + view]), (1, 2))
            assert torch.equal(back, upright['inputs'][kind][image, view])
