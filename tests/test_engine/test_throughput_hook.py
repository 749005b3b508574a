"""Images per second, the fraction of the time spent waiting, and the advice on it."""

from types import SimpleNamespace

import pytest
from mmengine.logging import MessageHub

from mmssl_geo.engine import ThroughputHook
from mmssl_geo.engine.hooks import throughput_hook
from mmssl_geo.engine.hooks.throughput_hook import bottleneck_advice, cores_per_process


@pytest.fixture
def runner(request):
    warnings = []
    return SimpleNamespace(
        message_hub=MessageHub(request.node.name),
        world_size=2,
        logger=SimpleNamespace(warning=warnings.append),
        train_dataloader=SimpleNamespace(batch_size=16, num_workers=2),
        warnings=warnings,
    )


def iterate(hook, runner, times, first=0):
    """Iterations of `(data_time, time)` seconds on a CPU."""
    if first == 0:
        hook.before_train_epoch(runner)
    for index, (data_time, time) in enumerate(times, first):
        runner.message_hub.update_scalar('train/data_time', data_time)
        runner.message_hub.update_scalar('train/time', time)
        hook.before_train_iter(runner, index)
        hook.after_train_iter(runner, index)


def value(runner, key):
    return runner.message_hub.get_scalar(f'train/{key}').current()


@pytest.fixture
def on_cpu(monkeypatch):
    monkeypatch.setattr(throughput_hook.torch.cuda, 'is_available', lambda: False)


def test_throughput_counts_all_processes(runner, on_cpu):
    iterate(ThroughputHook(), runner, [(0.1, 0.5)])
    assert value(runner, 'images_per_s') == 16 * 2 / 0.5


def test_the_fraction_excludes_the_start_of_the_workers(runner, on_cpu):
    iterate(ThroughputHook(), runner, [(9.0, 10.0), (0.1, 0.5), (0.3, 1.5)])
    assert value(runner, 'data_wait_fraction') == pytest.approx(0.4 / 2.0)


def test_a_slow_loader_is_reported_once_in_an_interval(runner, on_cpu, monkeypatch):
    monkeypatch.setattr(throughput_hook, 'cores_per_process', lambda: 8)
    hook = ThroughputHook(interval=3, max_wait_fraction=0.2)
    iterate(hook, runner, [(9.0, 9.0)] + [(0.6, 1.0)] * 6)
    assert len(runner.warnings) == 2
    # 2 workers deliver a batch a second, and must in 0.4 s
    assert 'bottleneck: 60%' in runner.warnings[0] and 'train_dataloader.num_workers=5 ' in runner.warnings[0]
    iterate(hook, runner, [(0.1, 1.0)] * 6, first=7)
    assert len(runner.warnings) == 2


def test_the_first_iteration_of_a_resumed_epoch_is_left_out_as_well(runner, on_cpu):
    iterate(ThroughputHook(), runner, [(9.0, 10.0), (0.1, 0.5)], first=7)
    assert value(runner, 'data_wait_fraction') == pytest.approx(0.2)


@pytest.mark.parametrize(
    'fraction,workers,cores,advice',
    [
        (0.5, 0, 4, 'num_workers=1 (now 0, 4 cores)'),  # loading takes as long as computing: one worker hides it
        (0.75, 0, 4, 'num_workers=3 (now 0, 4 cores)'),
        (0.75, 4, 8, 'num_workers=8 (now 4), all cores of this process; 16 would be needed'),
        (0.75, 8, 8, 'all 8 cores of this process are in use (8 workers), 32 would be needed'),
        (0.5, 4, 8, 'num_workers=8 (now 4, 8 cores)'),
    ],
)
def test_the_number_of_workers_to_try(fraction, workers, cores, advice):
    assert advice in bottleneck_advice(fraction, workers, cores)


def test_cores_are_shared_by_the_processes_of_a_machine(monkeypatch):
    alone = cores_per_process()
    monkeypatch.setenv('LOCAL_WORLD_SIZE', str(2 * alone))
    assert cores_per_process() == 1
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '1')
    assert cores_per_process() == alone >= 1


@pytest.mark.parametrize('first', [0, 5])
def test_on_a_gpu_only_its_own_idle_time_counts(runner, monkeypatch, first):
    """Marks in the GPU's queue: a gap is read when the device has passed it, however long the host has waited."""
    now, passed = SimpleNamespace(ms=0.0), SimpleNamespace(ms=1e9)

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            self.at = now.ms

        def query(self):
            return self.at <= passed.ms

        def elapsed_time(self, other):
            return other.at - self.at

    monkeypatch.setattr(throughput_hook.torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(throughput_hook.torch.cuda, 'Event', Event)
    hook = ThroughputHook()
    runner.message_hub.update_scalar('train/time', 1.0)
    for index, (arrival, end, device) in enumerate([(0, 900, 1e9), (1000, 1900, 1e9), (2100, 2900, 2000)], first):
        now.ms = arrival
        hook.before_train_iter(runner, index)
        now.ms, passed.ms = end, device
        hook.after_train_iter(runner, index)
    assert value(runner, 'data_wait_fraction') == pytest.approx(0.1 / 2), 'the second gap has not been passed'
    passed.ms = 1e9
    now.ms = 2900
    hook.before_train_iter(runner, first + 3)
    hook.after_train_iter(runner, first + 3)
    assert value(runner, 'data_wait_fraction') == pytest.approx((0.1 + 0.2) / 3)
