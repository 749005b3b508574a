"""The training loop with changed data or run length, and with options that do not fit."""

import logging

import pytest
import torch
from mmengine.hooks import IterTimerHook

from mmssl_geo.datasets.samplers import EpochSampler
from mmssl_geo.engine.loops import ResumableEpochLoop
from mmssl_geo.utils.errors import UserError


def warnings_of(monkeypatch, run):
    """Messages that `run()` logs as warnings (mmengine's logger does not propagate to pytest's), and its result."""
    messages = []
    monkeypatch.setattr(logging.Logger, 'warning', lambda self, message, *args, **kw: messages.append(str(message)))
    result = run()
    return '\n'.join(messages), result


def test_epoch_checkpoints_between_steps_warn(tmp_path, monkeypatch, train):
    def run(accumulation):
        return warnings_of(
            monkeypatch, lambda: train(tmp_path, accumulation=accumulation, checkpoint=dict(by_epoch=True, interval=1))
        )[0]

    assert 'lacks the gradients of up to 2 iterations' in run(3)
    assert 'lacks the gradients' not in run(4)


def test_another_batch_size_restarts_the_epoch(tmp_path, monkeypatch, train):
    train(tmp_path, stop_after=13)  # saved at iteration 12, epoch 1
    warnings, (_, continued) = warnings_of(monkeypatch, lambda: train(tmp_path, resume=True, batch=5))
    assert 'total_batch_size 3 -> 5' in warnings and 'iteration 12 becomes 5' in warnings
    assert continued.places[0] == (1, 0, 5, 5)
    assert len(continued.stream) == 2 * 5
    assert sorted(sum(continued.stream[:5], [])) == [(i, 1) for i in range(23)]


def test_another_batch_size_after_a_whole_epoch_resumes_with_the_next(tmp_path, train):
    train(tmp_path, stop_after=9)  # saved at iteration 8, the end of epoch 0
    _, continued = train(tmp_path, resume=True, batch=4)
    assert continued.places[0] == (1, 0, 6, 6)


def test_other_images_of_the_same_number_of_batches_restart_the_epoch(tmp_path, train):
    train(tmp_path, stop_after=13)
    _, continued = train(tmp_path, resume=True, images=24)
    assert continued.places[0][:3] == (1, 0, 8)


def test_checkpoint_of_the_stock_loop_in_another_batch_size(tmp_path, make_runner):
    """Without a description of its data only the iteration shows that it does not fit."""
    runner, _ = make_runner(tmp_path)
    loop = runner.build_train_loop(runner._train_loop)
    runner._train_loop = loop
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    loop._epoch, loop._iter = 1, 30
    loop._restore_position()
    assert (loop.epoch, loop.iter) == (1, 8)
    runner.message_hub.pop_info('data_stream')
    loop._epoch, loop._iter = 1, 11
    loop._restore_position()
    assert (loop.epoch, loop.iter) == (1, 11)


def test_wrong_sampler_and_too_few_images(tmp_path, make_runner):
    runner, _ = make_runner(tmp_path, sampler='DefaultSampler')
    with pytest.raises(UserError, match='cannot resume a DefaultSampler: set .*EpochSampler'):
        runner.train()
    runner, _ = make_runner(tmp_path)
    loader = torch.utils.data.DataLoader(range(23), batch_size=24, sampler=EpochSampler(range(23)), drop_last=True)
    with pytest.raises(UserError, match='23 images give 23 to each of 1 processes, less than one batch of 24'):
        ResumableEpochLoop(runner, loader, max_epochs=1)


SCHEDULE = dict(
    schedule=dict(
        type='mmssl_geo.ScheduleHook',
        learning_rate=dict(base=0.1, batch=None, end=0.01),
        weight_decay=dict(start=0.0, end=0.0),
        warmup_epochs=0,
    )
)


def test_another_number_of_epochs_names_the_schedules_that_change(tmp_path, monkeypatch, train):
    train(tmp_path, stop_after=13, hooks=SCHEDULE)
    warnings, (_, continued) = warnings_of(
        monkeypatch, lambda: train(tmp_path, resume=True, epochs=6, hooks=SCHEDULE, stop_after=15)
    )
    assert 'the schedules of learning rate, weight decay spanned 3 epochs (24 optimizer steps)' in warnings
    assert 'now span 6 epochs (48 optimizer steps)' in warnings and 'train_cfg.max_epochs' in warnings
    assert continued.places[0] == (1, 4, 12, 12)
    warnings, _ = warnings_of(monkeypatch, lambda: train(tmp_path, resume=True, epochs=6, hooks=SCHEDULE))
    assert 'span' not in warnings, 'the length is that of the last start'


def test_the_same_number_of_epochs_or_no_schedule_is_no_warning(tmp_path, monkeypatch, train):
    train(tmp_path, stop_after=13, hooks=SCHEDULE)
    warnings, _ = warnings_of(monkeypatch, lambda: train(tmp_path, resume=True, hooks=SCHEDULE, stop_after=15))
    assert 'span' not in warnings
    warnings, _ = warnings_of(monkeypatch, lambda: train(tmp_path, resume=True, epochs=4))
    assert 'span' not in warnings


@pytest.mark.parametrize('checkpoint', [dict(by_epoch=True, interval=1), dict(by_epoch=False, interval=2)])
def test_a_finished_run_says_so(tmp_path, monkeypatch, train, checkpoint):
    whole, _ = train(tmp_path, checkpoint=checkpoint)
    warnings, (runner, recorder) = warnings_of(
        monkeypatch, lambda: train(tmp_path, resume=True, checkpoint=checkpoint, hooks=SCHEDULE)
    )
    assert 'nothing to train: the run has already finished 3 of 3 epochs; raise train_cfg.max_epochs' in warnings
    assert recorder.stream == [] and torch.equal(runner.model.layer.weight, whole.model.layer.weight)


@pytest.mark.parametrize(
    'method,hooks,message',
    [
        (
            'update_teacher',
            {},
            'DropoutNet requires TeacherUpdateHook, which calls `update_teacher`: restore default_hooks.teacher_update',
        ),
        ('set_epoch', {}, 'DropoutNet requires ScheduleHook, which calls `set_epoch`: restore default_hooks.schedule'),
        (
            None,
            dict(throughput=dict(type='mmssl_geo.ThroughputHook')),
            'ThroughputHook requires IterTimerHook.*restore default_hooks.timer, or set default_hooks.throughput=None',
        ),
    ],
)
def test_a_removed_hook_that_another_part_needs(tmp_path, make_runner, method, hooks, message):
    runner, recorder = make_runner(tmp_path, hooks=hooks)
    runner._hooks = [hook for hook in runner.hooks if not (hooks and isinstance(hook, IterTimerHook))]
    if method:
        setattr(runner.model, method, lambda *args: None)
    with pytest.raises(UserError, match=message):
        runner.train()
    assert recorder.stream == []


def test_without_a_learning_rate_nothing_is_trained(tmp_path, make_runner):
    runner, recorder = make_runner(tmp_path)
    runner.optim_wrapper = runner.build_optim_wrapper(dict(optimizer=dict(type='SGD', lr=0.0)))
    with pytest.raises(UserError, match='the learning rate is 0 and no ScheduleHook sets it: restore default_hooks'):
        runner.train()
    assert recorder.stream == []
