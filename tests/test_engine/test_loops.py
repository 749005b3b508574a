import itertools
import logging

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset

from mmssl_geo.datasets import samplers
from mmssl_geo.engine.hooks.step_seed_hook import StepSeedHook
from mmssl_geo.engine.loops import ResumableEpochLoop
from mmssl_geo.errors import UserError

RUN = itertools.count()
EVERY_SECOND = dict(by_epoch=False, interval=2)
IMAGES, BATCH, EPOCHS, LENGTH = 23, 3, 3, 8  # 23 images make 8 batches, the last one of 2


class Keys(Dataset):
    """Samples that are their own (index, epoch); which of them were read is written down."""

    metainfo = {}

    def __init__(self, length=IMAGES):
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
            self.layer.weight.copy_(torch.arange(8.).reshape(4, 2) / 8)
            self.layer.bias.zero_()

    def forward(self, key, mode='loss'):
        keys = torch.stack(list(key)).float()
        return dict(loss=torch.nn.functional.dropout(self.layer(keys / 10), 0.5).pow(2).mean())


class Recorder(Hook):
    """The batches of the run; stops it by an exception after `stop_after` iterations, as a kill would."""

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


def make_runner(work_dir, stop_after=None, resume=False, workers=0, batch=BATCH, accumulation=1, dataset=None,
                checkpoint=None, seed=5, sampler='mmssl_geo.EpochSampler', hooks=()):
    recorder = Recorder(stop_after)
    # the checkpoint hook comes before the recorder, so that a kill comes after a save at the same iteration
    runner = Runner(
        DropoutNet(), str(work_dir),
        train_dataloader=dict(
            dataset=dataset or Keys(), sampler=dict(type=sampler), batch_size=batch, num_workers=workers),
        train_cfg=dict(type='mmssl_geo.ResumableEpochLoop', max_epochs=EPOCHS),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9), accumulative_counts=accumulation),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', priority='NORMAL', **(checkpoint or EVERY_SECOND)),
            step_seed=dict(type='mmssl_geo.StepSeedHook')),
        custom_hooks=[recorder, *hooks],
        resume=resume, randomness=dict(seed=seed), experiment_name=f'loop_test_{next(RUN)}', log_level='WARNING')
    return runner, recorder


def train(*args, **options):
    runner, recorder = make_runner(*args, **options)
    if recorder.stop_after is None:
        runner.train()
    else:
        with pytest.raises(KeyboardInterrupt):
            runner.train()
    return runner, recorder


def assert_same_weights(one, other):
    for a, b in zip(one.model.state_dict().values(), other.model.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize('stop_after, workers', [(3, 0), (5, 2), (8, 0), (9, 0), (16, 0), (19, 0)])
def test_killed_and_resumed_equals_uninterrupted(tmp_path, stop_after, workers):
    """Checkpoints at even iterations; 8 and 16 are the ends of epochs."""
    whole, uninterrupted = train(tmp_path / 'whole')
    assert len(uninterrupted.stream) == EPOCHS * LENGTH
    train(tmp_path / 'killed', stop_after=stop_after)
    resumed, continued = train(tmp_path / 'killed', resume=True, workers=workers)
    saved = stop_after // 2 * 2
    assert continued.stream == uninterrupted.stream[saved:]
    assert continued.places == uninterrupted.places[saved:]
    assert_same_weights(whole, resumed)
    if workers == 0:  # nothing was read for the batches that were skipped
        assert resumed.train_dataloader.dataset.read == [key for batch in uninterrupted.stream[saved:] for key in batch]


def test_checkpoints_by_epoch_resume_too(tmp_path):
    checkpoint = dict(by_epoch=True, interval=1)
    whole, uninterrupted = train(tmp_path / 'whole', checkpoint=checkpoint)
    train(tmp_path / 'killed', checkpoint=checkpoint, stop_after=LENGTH + 3)
    resumed, continued = train(tmp_path / 'killed', checkpoint=checkpoint, resume=True)
    assert continued.places == uninterrupted.places[LENGTH:]
    assert_same_weights(whole, resumed)


def test_every_epoch_is_whole_and_its_own_permutation(tmp_path):
    _, recorder = train(tmp_path)
    epochs = [sum(recorder.stream[e * LENGTH:(e + 1) * LENGTH], []) for e in range(EPOCHS)]
    for epoch, pairs in enumerate(epochs):
        assert sorted(pairs) == [(i, epoch) for i in range(IMAGES)]
    assert len({tuple(i for i, _ in pairs) for pairs in epochs}) == EPOCHS


def test_without_step_seed_dropout_differs_after_a_resume(tmp_path, monkeypatch):
    """The equality above is the hook's doing."""
    monkeypatch.setattr(StepSeedHook, 'before_train_iter', Hook.before_train_iter)
    whole, _ = train(tmp_path / 'whole')
    train(tmp_path / 'killed', stop_after=3)
    resumed, _ = train(tmp_path / 'killed', resume=True)
    assert not torch.equal(whole.model.layer.weight, resumed.model.layer.weight)


def test_accumulation_resumes_at_a_step(tmp_path):
    options = dict(accumulation=4, checkpoint=dict(by_epoch=False, interval=4))
    whole, uninterrupted = train(tmp_path / 'whole', **options)
    train(tmp_path / 'killed', stop_after=14, **options)
    resumed, continued = train(tmp_path / 'killed', resume=True, **options)
    assert continued.places == uninterrupted.places[12:]
    assert_same_weights(whole, resumed)


def test_checkpoints_between_optimizer_steps_are_refused(tmp_path):
    for checkpoint in (dict(by_epoch=False, interval=4), dict(by_epoch=False, interval=6, save_begin=2)):
        runner, recorder = make_runner(tmp_path, accumulation=3, checkpoint=checkpoint)
        with pytest.raises(UserError, match='multiples of optim_wrapper.accumulative_counts=3'):
            runner.train()
        assert recorder.stream == []


def warnings_of(monkeypatch, run):
    """Messages that `run()` logs as warnings (mmengine's logger does not propagate to pytest's), and its result."""
    messages = []
    monkeypatch.setattr(logging.Logger, 'warning', lambda self, message, *args, **kw: messages.append(str(message)))
    result = run()
    return '\n'.join(messages), result


def test_epoch_checkpoints_between_steps_warn(tmp_path, monkeypatch):
    def run(accumulation):
        return warnings_of(monkeypatch, lambda: train(
            tmp_path, accumulation=accumulation, checkpoint=dict(by_epoch=True, interval=1)))[0]

    assert 'lacks the gradients of up to 2 iterations' in run(3)
    assert 'lacks the gradients' not in run(4)


def test_another_batch_size_restarts_the_epoch(tmp_path, monkeypatch):
    train(tmp_path, stop_after=13)  # saved at iteration 12, epoch 1
    said, (_, continued) = warnings_of(monkeypatch, lambda: train(tmp_path, resume=True, batch=5))
    assert 'total_batch_size 3 -> 5' in said and 'iteration 12 becomes 5' in said
    assert continued.places[0] == (1, 0, 5, 5)
    assert len(continued.stream) == 2 * 5
    assert sorted(sum(continued.stream[:5], [])) == [(i, 1) for i in range(IMAGES)]


def test_another_batch_size_after_a_whole_epoch_goes_on_with_the_next(tmp_path):
    train(tmp_path, stop_after=9)  # saved at iteration 8, the end of epoch 0
    _, continued = train(tmp_path, resume=True, batch=4)
    assert continued.places[0] == (1, 0, 6, 6)


def test_other_images_of_the_same_number_of_batches_restart_the_epoch(tmp_path):
    train(tmp_path, stop_after=13)
    _, continued = train(tmp_path, resume=True, dataset=Keys(length=IMAGES + 1))
    assert continued.places[0][:3] == (1, 0, 8)


def test_checkpoint_of_the_stock_loop_in_another_batch_size(tmp_path):
    """Without a description of its data the iteration alone tells that it does not fit."""
    runner, _ = make_runner(tmp_path)
    loop = runner.build_train_loop(runner._train_loop)
    runner._train_loop = loop
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    loop._epoch, loop._iter = 1, 30
    loop._find_place_in_data_stream()
    assert (loop.epoch, loop.iter) == (1, LENGTH)
    runner.message_hub.pop_info('data_stream')
    loop._epoch, loop._iter = 1, 11
    loop._find_place_in_data_stream()
    assert (loop.epoch, loop.iter) == (1, 11)


def test_the_seed_of_the_checkpoint_orders_the_data(tmp_path):
    _, uninterrupted = train(tmp_path / 'whole', seed=5)
    train(tmp_path / 'killed', seed=5, stop_after=5)
    _, continued = train(tmp_path / 'killed', resume=True, seed=6)
    assert continued.stream == uninterrupted.stream[4:]


def test_two_ranks_share_the_rest_of_the_epoch(tmp_path, monkeypatch):
    _, one = train(tmp_path / 'one', batch=4, stop_after=11)
    streams = []
    for rank in range(2):
        monkeypatch.setattr(samplers, 'get_dist_info', lambda rank=rank: (rank, 2))
        (tmp_path / f'{rank}').mkdir()
        train(tmp_path / f'{rank}', batch=2, stop_after=9)
        streams.append(train(tmp_path / f'{rank}', batch=2, stop_after=11, resume=True)[1].stream)
    assert len(streams[0]) == 3
    for step, batches in enumerate(zip(*streams, strict=True), 8):
        assert sorted(sum(batches, [])) == sorted(one.stream[step])


def test_wrong_sampler_and_too_few_images(tmp_path):
    runner, _ = make_runner(tmp_path, sampler='DefaultSampler')
    with pytest.raises(UserError, match='cannot resume a DefaultSampler: set .*EpochSampler'):
        runner.train()
    runner, _ = make_runner(tmp_path)
    loader = torch.utils.data.DataLoader(Keys(), batch_size=24, sampler=samplers.EpochSampler(Keys()), drop_last=True)
    with pytest.raises(UserError, match='23 images give 23 to each of 1 processes, less than one batch of 24'):
        ResumableEpochLoop(runner, loader, max_epochs=1)
