"""FiniteHook's checks of losses on a GPU, which the host simulates."""

import pytest
import torch

from mmssl_geo.engine import FiniteHook
from mmssl_geo.engine.hooks import finite_hook
from mmssl_geo.utils.errors import NonFiniteLossError


class GpuTensor(torch.Tensor):
    is_cuda = True

    def __float__(self):
        raise AssertionError('the host waits for the device')


def loss(value):
    return torch.tensor(value).as_subclass(GpuTensor)


@pytest.fixture
def waits(monkeypatch):
    seen = []

    class Event:
        def __init__(self, blocking):
            assert blocking, 'it would keep a core busy while it waits'

        def record(self):
            seen.append('record')

        def synchronize(self):
            assert seen, 'waited for before it was recorded'
            seen.append('wait')

    monkeypatch.setattr(finite_hook.torch.cuda, 'Event', Event)
    return seen


def test_a_loss_is_checked_one_iteration_later(waits):
    hook = FiniteHook()
    hook.after_train_iter(None, 0, outputs=dict(loss=loss(1.0), accuracy=loss(float('nan'))))
    assert waits == ['record']
    hook.after_train_iter(None, 1, outputs=dict(loss=loss(2.0), loss_crop=loss(float('nan'))))
    assert waits[:2] == ['record', 'wait']
    with pytest.raises(NonFiniteLossError, match='loss_crop is not finite'):
        hook.after_train_iter(None, 2, outputs=dict(loss=loss(3.0)))


def test_the_last_iteration_of_an_epoch_is_checked_too(waits):
    hook = FiniteHook()
    hook.after_train_iter(None, 0, outputs=dict(loss=loss(float('inf'))))
    with pytest.raises(NonFiniteLossError, match='loss is not finite'):
        hook.after_train_epoch(None)
    hook.after_train_epoch(None)
