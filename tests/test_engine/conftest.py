"""Small runs that are interrupted and resumed, for the tests of the training loop."""

import itertools

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset

RUN = itertools.count()
EVERY_SECOND = dict(by_epoch=False, interval=2)


class Keys(Dataset):
    """A dataset whose samples are their keys (index, epoch); it records which were read."""

    metainfo = {}

    def __init__(self, length):
        self.read = []
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, key):
        self.read.append(key)
        return dict(key=torch.tensor(key))


class DropoutNet(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 4)
        with torch.no_grad():
            self.layer.weight.copy_(torch.arange(8.0).reshape(4, 2) / 8)
            self.layer.bias.zero_()

    def forward(self, key, mode='loss'):
        keys = torch.stack(list(key)).float()
        return dict(loss=torch.nn.functional.dropout(self.layer(keys / 10), 0.5).pow(2).mean())


class Recorder(Hook):
    """Records the batches of a run and interrupts it after `stop_after` iterations, as a kill would."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.stream = []
        self.places = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.stream.append([tuple(key.tolist()) for key in data_batch['key']])
        self.places.append((runner.epoch, batch_idx, runner.iter, runner.optim_wrapper._inner_count))

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.stop_after:
            raise KeyboardInterrupt


def build_runner(
    work_dir,
    stop_after=None,
    resume=False,
    workers=0,
    batch=3,
    accumulation=1,
    images=23,
    checkpoint=None,
    seed=5,
    sampler='mmssl_geo.EpochSampler',
    hooks=None,
    epochs=3,
):
    """A run of `epochs` epochs; 23 images make 8 batches of 3, the last one of 2. Returns it and its `Recorder`."""
    recorder = Recorder(stop_after)
    # the checkpoint hook precedes the recorder, so that an interruption follows a save at the same iteration
    runner = Runner(
        DropoutNet(),
        str(work_dir),
        train_dataloader=dict(dataset=Keys(images), sampler=dict(type=sampler), batch_size=batch, num_workers=workers),
        train_cfg=dict(type='mmssl_geo.ResumableEpochLoop', max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9), accumulative_counts=accumulation),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', priority='NORMAL', **(checkpoint or EVERY_SECOND)),
            step_seed=dict(type='mmssl_geo.StepSeedHook'),
            **(hooks or {}),
        ),
        custom_hooks=[recorder],
        resume=resume,
        randomness=dict(seed=seed),
        experiment_name=f'loop_test_{next(RUN)}',
        log_level='WARNING',
    )
    return runner, recorder


def run(*args, **options):
    """Trains the runner of `build_runner` until it ends or is interrupted."""
    runner, recorder = build_runner(*args, **options)
    if recorder.stop_after is None:
        runner.train()
    else:
        with pytest.raises(KeyboardInterrupt):
            runner.train()
    return runner, recorder


@pytest.fixture
def make_runner():
    return build_runner


@pytest.fixture
def train():
    return run
