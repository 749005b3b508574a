"""Values that stay on the device until they are logged."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import LoggerHook
from mmengine.logging import MessageHub

from mmssl_geo.engine import DeferredInfoHook


class Loader(SimpleNamespace):
    def __len__(self):
        return 8


@pytest.fixture
def runner(request):
    return SimpleNamespace(
        hooks=[LoggerHook(interval=3)],
        train_dataloader=Loader(),
        message_hub=MessageHub(request.node.name),
        optim_wrapper=SimpleNamespace(grad_norm=None, grad_name='grad_norm'),
    )


def history(runner, key):
    buffer = runner.message_hub.log_scalars.get(f'train/{key}')
    return [] if buffer is None else buffer.data[0].tolist()


def test_values_are_transferred_where_they_are_logged_and_at_the_end(runner):
    hook, counts = DeferredInfoHook(), []
    for step in range(8):
        hook.after_train_iter(runner, step, outputs=dict(loss=torch.tensor(step + 0.5, requires_grad=True), plain=step))
        counts.append(len(history(runner, 'loss')))
    assert counts == [0, 0, 3, 3, 3, 6, 6, 8]
    assert history(runner, 'loss') == [step + 0.5 for step in range(8)] and history(runner, 'plain') == [*range(8)]


def test_nothing_keeps_a_graph_or_reads_a_value_between(runner):
    hook = DeferredInfoHook()
    hook.after_train_iter(runner, 0, outputs=dict(loss=torch.ones((), device='meta')))  # reading it would raise
    with pytest.raises((RuntimeError, NotImplementedError)):
        hook.before_save_checkpoint(runner, {})


def test_a_checkpoint_holds_what_was_not_yet_logged(runner):
    hook, checkpoint = DeferredInfoHook(), dict(message_hub='old')
    hook.after_train_iter(runner, 0, outputs=dict(loss=torch.tensor(2.0)))
    hook.before_save_checkpoint(runner, checkpoint)
    assert checkpoint['message_hub']['log_scalars']['train/loss'].current() == 2
    hook.before_save_checkpoint(runner, checkpoint)
    assert history(runner, 'loss') == [2.0], 'transferred once'


def test_norms_of_gradients_are_logged_but_not_those_of_skipped_steps(runner):
    hook = DeferredInfoHook()
    for step, norm in enumerate([torch.tensor(4.0), None, torch.tensor(float('inf'))]):
        runner.optim_wrapper.grad_norm = norm
        hook.after_train_iter(runner, step, outputs=dict(loss=torch.tensor(float('nan'))))
        assert runner.optim_wrapper.grad_norm is None
    assert history(runner, 'grad_norm') == [4.0]
    assert len(history(runner, 'loss')) == 3, 'a loss that is not finite is not hidden'
