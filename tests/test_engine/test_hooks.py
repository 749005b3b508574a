from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub

from mmssl_geo.engine import CollapseMonitorHook, FiniteHook, ReplicaCheckHook, ScheduleHook, TeacherUpdateHook
from mmssl_geo.engine.hooks import replica_check_hook
from mmssl_geo.engine.hooks.replica_check_hook import weights_digest
from mmssl_geo.engine.schedules import warmup_cosine
from mmssl_geo.utils.errors import NonFiniteLossError, UserError


class Recorder:
    def __init__(self):
        self.warnings, self.infos = [], []

    def warning(self, text):
        self.warnings.append(text)

    def info(self, text):
        self.infos.append(text)


class FakeModel:
    def __init__(self):
        self.momenta, self.epochs = [], []

    def update_teacher(self, momentum):
        self.momenta.append(momentum)

    def set_epoch(self, epoch, warmup_epochs):
        self.epochs.append((epoch, warmup_epochs))


def fake_runner(iters_per_epoch=10, max_epochs=4, batch_size=16, world_size=2, accumulation=1):
    groups = [dict(decayed=True, lr=0.0, weight_decay=0.0), dict(decayed=False, lr=0.0, weight_decay=0.0), dict(lr=0.0)]

    class Loader(SimpleNamespace):
        def __len__(self):
            return iters_per_epoch

    return SimpleNamespace(
        iter=0,
        epoch=0,
        max_iters=iters_per_epoch * max_epochs,
        max_epochs=max_epochs,
        world_size=world_size,
        train_dataloader=Loader(batch_size=batch_size),
        model=FakeModel(),
        logger=Recorder(),
        optim_wrapper=SimpleNamespace(param_groups=groups, _accumulative_counts=accumulation),
        message_hub=MessageHub('test'),
    )


def schedule(**kwargs):
    settings = dict(
        learning_rate=dict(base=5e-4, batch=256, end=1e-6), weight_decay=dict(start=0.04, end=0.4), warmup_epochs=1
    )
    return ScheduleHook(**{**settings, **kwargs})


def run(runner, hook, iterations):
    for i in range(iterations):
        runner.iter, runner.epoch = i, i // len(runner.train_dataloader)
        hook.before_train_iter(runner, i)
        yield i


def test_values_of_every_iteration():
    runner, hook = fake_runner(), schedule()
    peak = 5e-4 * 32 / 256
    for i in run(runner, hook, 40):
        decayed, plain, base = runner.optim_wrapper.param_groups
        assert decayed['lr'] == plain['lr'] == base['lr'] == warmup_cosine(i, 40, peak, 1e-6, 10)
        assert decayed['weight_decay'] == warmup_cosine(i, 40, 0.04, 0.4)
        assert plain['weight_decay'] == 0
    assert runner.model.epochs == [(i // 10, 1) for i in range(40)]


def test_the_learning_rate_follows_processes_and_accumulation():
    runner, hook = fake_runner(world_size=4, accumulation=2), schedule(warmup_epochs=0)
    hook.before_train_iter(runner, 0)
    assert runner.optim_wrapper.param_groups[0]['lr'] == pytest.approx(5e-4 * 16 * 4 * 2 / 256)
    runner, hook = fake_runner(), schedule(warmup_epochs=0, learning_rate=dict(base=5e-4, batch=None, end=5e-4))
    for _ in run(runner, hook, 40):
        assert runner.optim_wrapper.param_groups[0]['lr'] == 5e-4


@pytest.mark.parametrize(
    'learning_rate,text',
    [
        (
            dict(base=5e-4, batch=256, end=1e-6),
            'peak learning rate 6.25e-05 = 0.0005 * 32 images per optimizer step / 256 '
            '(default_hooks.schedule.learning_rate)',
        ),
        (
            dict(base=5e-4, batch=None, end=1e-6),
            'peak learning rate 0.0005, fixed (default_hooks.schedule.learning_rate.batch=None): it does not scale '
            'with the 32 images per optimizer step',
        ),
    ],
)
def test_the_log_says_which_learning_rate_is_used_and_why(learning_rate, text):
    runner = fake_runner()
    schedule(learning_rate=learning_rate).before_train(runner)
    assert runner.logger.infos == [text] and not runner.logger.warnings


@pytest.mark.parametrize(
    'options,message',
    [
        (
            {'optim_wrapper.optimizer.lr': 1e-3},
            r'optim_wrapper.optimizer.lr has no effect.*: remove it and set '
            r'default_hooks.schedule.learning_rate.base \(and learning_rate.batch=None',
        ),
        (
            {'optim_wrapper.optimizer.weight_decay': 0.1},
            'optim_wrapper.optimizer.weight_decay has no effect.*'
            'default_hooks.schedule.weight_decay.start and weight_decay.end',
        ),
        (
            {'param_scheduler': [dict(type='MultiStepLR', milestones=[1])]},
            'param_scheduler conflicts with ScheduleHook',
        ),
        ({'auto_scale_lr': dict(enable=True, base_batch_size=16)}, 'auto_scale_lr conflicts with ScheduleHook'),
    ],
)
def test_what_the_schedule_would_overwrite_is_refused(options, message):
    cfg = Config(dict(optim_wrapper=dict(optimizer=dict(type='AdamW', betas=(0.9, 0.95)))))
    runner = SimpleNamespace(cfg=cfg, param_schedulers=None, auto_scale_lr=dict(enable=False, base_batch_size=16))
    schedule().before_run(runner)
    cfg.merge_from_dict(options)
    runner.param_schedulers, runner.auto_scale_lr = cfg.get('param_scheduler'), cfg.get('auto_scale_lr')
    with pytest.raises(UserError, match=message):
        schedule().before_run(runner)


def test_under_accumulation_values_change_once_per_optimizer_step():
    runner, hook = fake_runner(accumulation=3), schedule(warmup_epochs=0)
    rates = [runner.optim_wrapper.param_groups[0]['lr'] for _ in run(runner, hook, 40)]
    assert rates[0] == rates[1] == rates[2] != rates[3]
    assert rates[3] == warmup_cosine(1, 14, 5e-4 * 96 / 256, 1e-6)


def test_a_warmup_longer_than_the_run_is_shortened_with_a_warning():
    runner, hook = fake_runner(), schedule(warmup_epochs=10)
    hook.before_train(runner)
    assert 'shortened to 0.4' in runner.logger.warnings[0]
    hook.before_train_iter(runner, 0)
    assert runner.model.epochs == [(0, 0.4)]


@pytest.mark.parametrize('accumulation', [1, 4])
def test_one_teacher_update_per_optimizer_step(accumulation):
    runner = fake_runner(accumulation=accumulation)
    for _ in run(runner, TeacherUpdateHook(dict(start=0.996, end=1.0)), 40):
        pass
    total = 40 // accumulation
    assert runner.model.momenta == [warmup_cosine(step, total, 0.996, 1.0) for step in range(total)]
    assert runner.message_hub.get_scalar('train/teacher_momentum').current() == runner.model.momenta[-1]


class ModelWithTokens:
    """A model whose teacher returns the images as features."""

    def __init__(self):
        self.teacher_tokens = lambda images: images.flatten(2).transpose(1, 2)

    def data_preprocessor(self, data):
        return dict(views=SimpleNamespace(monitor_images=data))


@pytest.mark.parametrize(
    'features,warned',
    [(torch.ones(4, 8, 3, 3) + 1e-4 * torch.randn(4, 8, 3, 3), True), (torch.randn(4, 8, 3, 3), False)],
)
def test_the_collapse_monitor_warns_of_collapse_only(features, warned):
    runner = fake_runner()
    runner.model = ModelWithTokens()
    hook = CollapseMonitorHook(interval=1)
    hook.after_train_iter(runner, 0, features)
    assert bool(runner.logger.warnings) == warned
    if warned:
        assert 'features collapse' in runner.logger.warnings[0]
    spread = runner.message_hub.get_scalar('train/feature_spread').current()
    assert (spread < 0.01) == warned


def test_a_loss_that_is_not_finite_stops_any_run():
    hook = FiniteHook()
    hook.after_train_iter(None, 0, outputs=dict(loss=1.0, loss_cls=torch.tensor(2.0), acc=float('nan')))
    with pytest.raises(NonFiniteLossError, match='loss_cls is not finite'):
        hook.after_train_iter(None, 0, outputs=dict(loss=1.0, loss_cls=torch.tensor(float('inf'))))


def test_non_finite_weights_are_not_saved():
    good = dict(state_dict=dict(a=torch.ones(2), b=torch.tensor(1)))
    FiniteHook().before_save_checkpoint(None, good)
    good['state_dict']['c'] = torch.tensor([0.0, float('nan')])
    with pytest.raises(UserError, match='1 of the model.s weights are infinite or NaN .the first: c.'):
        FiniteHook().before_save_checkpoint(None, good)


def test_weights_digest_sees_the_smallest_change():
    net = torch.nn.Linear(3, 2)
    before = weights_digest(net)
    assert weights_digest(net) == before
    net.bias.data[0] = torch.nextafter(net.bias.data[0], torch.tensor(9.0))
    assert weights_digest(net) != before


def test_replicas_that_differ_stop_the_run(monkeypatch):
    runner = fake_runner()
    runner.model = torch.nn.Linear(2, 2)
    monkeypatch.setattr(replica_check_hook, 'get_world_size', lambda: 3)
    monkeypatch.setattr(replica_check_hook, 'all_gather_object', lambda digest: [digest, digest, 'other'])
    with pytest.raises(RuntimeError, match=r'processes \[2\] have different weights'):
        ReplicaCheckHook().after_train_epoch(runner)
    monkeypatch.setattr(replica_check_hook, 'all_gather_object', lambda digest: [digest] * 3)
    ReplicaCheckHook().after_train_epoch(runner)
    assert '3 processes hold identical' in runner.logger.infos[0]
