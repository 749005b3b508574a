"""Hooks of DINO's schedule: the teacher's temperature and the frozen last layer."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper

from mmssl_geo.engine import CollapseMonitorHook, FreezeLastLayerHook, TeacherTemperatureHook
from mmssl_geo.models import MultiViewDataPreprocessor
from mmssl_geo.registry import MODELS
from mmssl_geo.utils.errors import UserError
from tests.support.pretraining import tiny_config


def temperatures(max_epochs, **kwargs):
    """Returns the temperature that the model gets in every epoch, and the warnings."""
    values, warnings = [], []
    runner = SimpleNamespace(
        max_epochs=max_epochs,
        message_hub=MessageHub('temperature'),
        logger=SimpleNamespace(warning=warnings.append),
        model=SimpleNamespace(set_teacher_temperature=values.append),
    )
    hook = TeacherTemperatureHook(**kwargs)
    hook.before_train(runner)
    for epoch in range(max_epochs):
        runner.epoch = epoch
        hook.before_train_iter(runner, 0)
        assert runner.message_hub.get_scalar('train/teacher_temperature').current() == values[-1]
    return values, warnings


def test_the_papers_temperatures():
    values, warnings = temperatures(100)
    assert values == pytest.approx([*np.linspace(0.04, 0.07, 30), *[0.07] * 70]) and not warnings
    assert values[0] == 0.04 and values[28] < values[29] == 0.07


@pytest.mark.parametrize(
    'max_epochs,warmup_epochs,expected',
    [(3, 0, [0.07] * 3), (3, 1, [0.04, 0.07, 0.07]), (4, 3, [0.04, 0.055, 0.07, 0.07])],
)
def test_short_warmups(max_epochs, warmup_epochs, expected):
    values, warnings = temperatures(max_epochs, warmup_epochs=warmup_epochs)
    assert values == pytest.approx(expected) and not warnings


@pytest.mark.parametrize('max_epochs,kept', [(30, 9), (20, 6), (5, 2), (1, 1)])
def test_a_warmup_as_long_as_the_run_is_shortened(max_epochs, kept):
    values, warnings = temperatures(max_epochs)
    assert values == pytest.approx([*np.linspace(0.04, 0.07, kept), *[0.07] * (max_epochs - kept)])
    assert len(warnings) == 1 and f'30 epochs, is not shorter than the run of {max_epochs}' in warnings[0]
    assert warnings[0].endswith(f'shortened to {kept}')


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = torch.nn.Linear(2, 2)
        self.neck = torch.nn.Module()
        self.neck.last_layer = torch.nn.Linear(2, 3)

    def loss(self):
        return self.neck.last_layer(self.body(torch.ones(4, 2))).square().sum()


def frozen_run(epochs=1, accumulation=1, scaler=None, resume=None):
    """AdamW with a strong weight decay; yields after each of four iterations, two an epoch."""
    torch.manual_seed(0)
    net = Net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.1, weight_decay=0.5)
    start = 0
    if resume is not None:
        start = resume.pop('iter')
        net.load_state_dict(resume['net'])
        optimizer.load_state_dict(resume['optimizer'])
    wrapper = OptimWrapper(optimizer, accumulative_counts=accumulation)
    runner = SimpleNamespace(model=net, optim_wrapper=wrapper, epoch=0)
    hook = FreezeLastLayerHook(epochs)
    hook.before_train(runner)
    for i in range(start, 4):
        runner.epoch = i // 2
        if scaler is None:
            wrapper.update_params(net.loss())
        else:
            scaler.scale(net.loss()).backward()
            scaler.unscale_(optimizer)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
        yield net, optimizer
    hook.after_train(runner)


def snapshot(net):
    return {name: param.detach().clone() for name, param in net.named_parameters()}


def last_layer_states(net, optimizer):
    return [param in optimizer.state for param in net.neck.last_layer.parameters()]


def make_scaler():
    if not hasattr(torch.amp, 'GradScaler'):
        pytest.skip('this torch has no gradient scaler for a CPU')
    return torch.amp.GradScaler('cpu', init_scale=16.0)


@pytest.mark.parametrize('with_scaler', [False, True])
def test_the_first_epoch_neither_updates_nor_decays_the_last_layer_nor_keeps_its_moments(with_scaler):
    torch.manual_seed(0)
    start = snapshot(Net())
    for i, (net, optimizer) in enumerate(frozen_run(scaler=make_scaler() if with_scaler else None)):
        if i < 2:
            assert last_layer_states(net, optimizer) == [False, False]
            assert torch.equal(net.neck.last_layer.weight, start['neck.last_layer.weight'])
            assert torch.equal(net.neck.last_layer.bias, start['neck.last_layer.bias'])
            assert not torch.equal(net.body.weight, start['body.weight'])
        else:
            states = [optimizer.state[param]['step'].item() for param in net.neck.last_layer.parameters()]
            assert states == [i - 1, i - 1] and optimizer.state[net.body.weight]['step'] == i + 1
            assert not torch.equal(net.neck.last_layer.weight, start['neck.last_layer.weight'])


def test_the_first_step_after_the_freeze_by_hand():
    """AdamW's first step: decay by 1 - lr * wd, then lr in the gradient's direction, whatever came before."""
    run = frozen_run()
    next(run)
    net, _ = next(run)
    before = snapshot(net)
    (gradient,) = torch.autograd.grad(net.loss(), [net.neck.last_layer.weight])
    next(run)
    expected = before['neck.last_layer.weight'] * (1 - 0.1 * 0.5) - 0.1 * gradient / (gradient.abs() + 1e-8)
    torch.testing.assert_close(net.neck.last_layer.weight.detach(), expected)


def test_accumulated_gradients_are_dropped_at_the_step():
    """Steps are made after iterations 1 and 3; the first of them is in epoch 0."""
    moved = []
    for net, optimizer in frozen_run(accumulation=2):
        moved.append(any(last_layer_states(net, optimizer)))
    assert moved == [False, False, False, True]


@pytest.mark.parametrize('epochs,trained', [(0, [True] * 4), (2, [False] * 4)])
def test_the_number_of_epochs(epochs, trained):
    assert [any(last_layer_states(*state)) for state in frozen_run(epochs)] == trained


@pytest.mark.parametrize('stop', [1, 2, 3])
def test_resumed_equals_uninterrupted(stop):
    run = frozen_run()
    for _ in range(stop):
        net, optimizer = next(run)
    resume = dict(net=snapshot(net), optimizer=optimizer.state_dict(), iter=stop)
    *_, (whole, _) = frozen_run()
    *_, (resumed, _) = frozen_run(resume=resume)
    for name, param in snapshot(whole).items():
        assert torch.equal(param, snapshot(resumed)[name])


def test_the_hook_is_removed_after_the_run():
    *_, (net, optimizer) = frozen_run(epochs=9)
    net.loss().backward()
    optimizer.step()
    assert last_layer_states(net, optimizer) == [True, True]


@pytest.mark.parametrize(
    'layer,fault',
    [
        ('neck.last', "has no layer 'neck.last'"),
        ('head.last_layer', "has no layer 'head.last_layer'"),
        ('neck.empty', "'neck.empty' has no parameters"),
    ],
)
def test_a_layer_that_cannot_be_frozen(layer, fault):
    net = Net()
    net.neck.empty = torch.nn.GELU()
    with pytest.raises(UserError, match=f'FreezeLastLayerHook: the .*{fault}: correct `layer`'):
        FreezeLastLayerHook(layer=layer).before_train(SimpleNamespace(model=net))


def test_the_collapse_monitor_reads_dinos_patches(default_scope):
    model = MODELS.build(tiny_config('configs/dino_vits16_coco.py').model)
    model.init_weights()
    images = torch.randint(0, 255, (4, 2, 3, 64, 64), dtype=torch.uint8)
    data = dict(
        inputs={'global': images, 'local': torch.empty(4, 0, 3, 0, 0)},
        crop_boxes_src=torch.zeros(4, 2, 4),
        turns=torch.zeros(4, 2).long(),
        flipped=torch.ones(4, 2).bool(),
    )
    spread, rank = CollapseMonitorHook().measure(model, data)
    images = MultiViewDataPreprocessor()(data)['views'].global_images
    patches = model.teacher.backbone(images)[-1][:, 1:].flatten(0, 1)  # 16 a view: all of them are read
    unit = torch.nn.functional.normalize(patches, dim=1)
    assert spread == pytest.approx((unit.std(dim=0, correction=0).mean() * 24**0.5).item(), rel=1e-4) and rank > 1
