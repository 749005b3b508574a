"""Shared modules of the speed tools, and the tools themselves on the smallest sizes."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mmssl_geo.utils.errors import UserError
from tests.support.tools import run_process

BENCHMARKS = Path(__file__).parents[2] / 'tools' / 'speed'


@pytest.fixture
def load(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module


def run(name, *args):
    done = run_process(f'speed/{name}.py', *args)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_computing_calls_are_counted_forward_and_backward(load):
    measuring = load('measuring')
    x = torch.ones(2, 3, requires_grad=True)
    with measuring.OperatorCalls() as calls:
        (x.view(3, 2) * 2).sum().backward()
    # backward: the initial gradient, then times 2; the gradients of the sum and the view are views
    assert calls.names == ['aten::mul', 'aten::sum', 'aten::ones_like', 'aten::mul']


def test_a_multi_tensor_call_counts_once_unless_shapes_differ(load):
    measuring, tensors = load('measuring'), [torch.ones(2), torch.ones(3)]
    assert measuring.count_calls(lambda: torch._foreach_mul_(tensors, 2.0)) == 1
    assert measuring.count_calls(lambda: torch._foreach_add_(tensors, [x.clone() for x in tensors])) == 3
    assert measuring.count_calls(lambda: torch._foreach_mul_(tensors, [x.sum() for x in tensors])) == 4


def test_timings_are_interleaved_and_medians_are_returned(load, monkeypatch, capsys):
    measuring, order, now = load('measuring'), [], SimpleNamespace(value=0.0)
    monkeypatch.setattr(measuring.time, 'perf_counter', lambda: now.value)
    steps = iter([9.0, 9.0, 1.0, 4.0, 3.0, 5.0, 2.0, 60.0])

    def candidate(name):
        order.append(name)
        now.value += next(steps)

    seconds = measuring.time_interleaved({'a': lambda: candidate('a'), 'b': lambda: candidate('b')}, rounds=3)
    assert order == ['a', 'b'] * 4 and seconds == {'a': 2.0, 'b': 5.0}, 'the first calls are a warm-up'
    assert ' 3/3 [' in capsys.readouterr().err


def test_memory_kept_for_the_backward_pass(load):
    weight = torch.ones(1024, 256, requires_grad=True)
    x = torch.ones(1024, 256)
    kept = load('measuring').kept_for_backward_mib(lambda: ((weight * x).exp() * x).sum().backward())
    assert kept == 2.0, 'x, once, and the exponential: 1 MiB each'


def test_a_line_is_fitted(load):
    intercept, slope, fit = load('scaling').fit_line({1: 3.0, 2: 5.0, 4: 9.0})
    assert (intercept, slope, fit) == pytest.approx((1.0, 2.0, 1.0))
    assert load('scaling').fit_line({1: 1.0, 2: 4.0, 3: 9.0, 4: 16.0})[2] < 0.99


def test_a_folder_that_is_not_a_checkout_is_refused(load, tmp_path):
    with pytest.raises(UserError, match='is not a checkout of .*GTSA: model_pretrain/gtsa.py is missing'):
        load('reference').load_reference(tmp_path)


def test_the_stand_in_rotates_like_kornia(load):
    """Counter-clockwise by each map's angle, about the centre, exact at quarter turns up to rounding."""
    maps = torch.randn(4, 2, 5, 5, dtype=torch.double)
    turned = load('reference')._rotate(maps, torch.arange(4) * 90.0)
    for turn in range(4):
        torch.testing.assert_close(turned[turn], torch.rot90(maps[turn], turn, (-2, -1)))


def test_angles_of_the_official_code_are_view_major_degrees(load):
    views = load('ready_batches').random_views(3, num_local=2, sizes=(32, 16))
    boxes = load('reference').official_boxes(views)
    assert [angle.tolist() for angle in boxes['angles']] == (views.turns.t() * 90).tolist()
    assert boxes['gc'].shape == (3, 2, 4, 4) and boxes['all'].shape == (3, 4, 2, 4)
    own_box = torch.tensor([0.0, 0.0, 32.0, 32.0]).expand(3, 4)
    torch.testing.assert_close(boxes['gc'][:, 0, 0], own_box, rtol=0, atol=1e-4)
    assert boxes['all'][:, 2:].max() < 16.001 < boxes['all'][:, :2].max()


def test_prefetched_batches_are_not_timed(load, monkeypatch):
    """A step costs 1, a batch that is not prefetched 5 more; two batches are prefetched when a block begins."""
    end_to_end, now, ready = load('end_to_end'), SimpleNamespace(value=0.0), SimpleNamespace(count=0)

    def batches():
        while True:
            if ready.count == 0:
                now.value += 5
            ready.count = max(0, ready.count - 1)
            yield 'made'

    def step(batch):
        now.value += 1

    monkeypatch.setattr(load('measuring').time, 'perf_counter', lambda: now.value)
    monkeypatch.setattr(end_to_end.ProgressBar, 'update', lambda _: setattr(ready, 'count', 2))  # after each block
    seconds = end_to_end.time_blocks({'ours': (step, batches())}, iters=3, num_prefetched=2)
    assert seconds == {('ours', 'ready'): 1.0, ('ours', 'loader'): 6.0}
    assert end_to_end.time_blocks({'ours': (step, batches())}, 3, num_prefetched=0)['ours', 'loader'] < 6


def test_images_are_listed_until_there_are_enough(load, tmp_path):
    for name in ('b.jpg', 'a/c.png', 'notes.txt'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b'')
    config_runs = load('config_runs')
    config_runs.list_images(tmp_path, 5, tmp_path / 'list')
    assert sorted((tmp_path / 'list').read_text().split()) == ['a/c.png'] * 3 + ['b.jpg'] * 3
    config_runs.list_images(tmp_path, 1, tmp_path / 'list')
    assert len((tmp_path / 'list').read_text().split()) == 2, 'every image is listed once'
    (tmp_path / 'empty').mkdir()
    with pytest.raises(UserError, match='empty: the folder and its subfolders contain no images'):
        config_runs.list_images(tmp_path / 'empty', 1, tmp_path / 'list')


@pytest.mark.parametrize('name', ['throughput', 'scaling', 'loss'])
def test_the_cpu_is_not_timed_where_mmengine_sees_a_gpu(load, monkeypatch, name):
    tool = load(name)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr('sys.argv', [name, '--device', 'cpu'])
    with pytest.raises(UserError, match='--device cpu on a machine with a GPU: hide it'):
        tool.parse_args()


@pytest.mark.parametrize(
    'name, args, sentence',
    [
        ('loss', ['--batch-size', 0], '--batch-size 0: must be at least 1'),
        ('throughput', ['--rounds', 0], '--rounds 0: must be at least 1'),
        ('throughput', ['--num-local', -1], '--num-local -1: must be at least 1'),
        ('scaling', ['--images', 2, 0], '--images 0: must be at least 1'),
        ('scaling', ['--processes', 0], '--processes 0: must be at least 1'),
        ('scaling', ['--out', BENCHMARKS], 'speed is a folder: name a file in it'),
    ],
)
def test_invalid_numbers_are_refused(load, monkeypatch, name, args, sentence):
    monkeypatch.setattr('sys.argv', [name, *map(str, args)])
    with pytest.raises(UserError, match=sentence):
        load(name).parse_args()


@pytest.mark.parametrize('name', ['views', 'loss', 'step', 'end_to_end', 'throughput', 'scaling', 'curves'])
def test_help_needs_nothing_else(name):
    done = subprocess.run([sys.executable, str(BENCHMARKS / f'{name}.py'), '--help'], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith('usage:'), done.stderr


def test_a_line_needs_three_sizes(load):
    assert load('scaling').fit_line({1: 3.0, 2: 5.0}) == (None, None, None)


def test_curves_compare_two_precisions(load, monkeypatch):
    curves = load('curves')
    monkeypatch.setattr('sys.argv', ['curves', 'configs/gtsa_quickstart.py', '--amp-dtype', 'float32'])
    with pytest.raises(UserError, match='--amp-dtype float32 is the plain run'):
        curves.main()


def test_more_processes_than_gpus_are_refused(load, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setattr('sys.argv', ['scaling', '--device', 'cuda', '--processes', '1', '4'])
    with pytest.raises(UserError, match='--processes 4: each process needs a GPU, and there are 2'):
        load('scaling').parse_args()


@pytest.mark.slow
def test_losses_take_a_tenth_of_the_calls():
    result = run('loss', '--batch-size', 1, '--rounds', 1, '--device', 'cpu')
    calls = result['calls']['ours']
    assert calls['ema'] == 4 and calls['clipping'] < 200 and calls['losses'] < 500
    assert result['ratio_loss'] is None and all(value > 0 for value in result['milliseconds']['ours'].values())


@pytest.mark.slow
def test_whole_steps_and_the_bare_nets():
    result = run('throughput', '--batch-size', 1, '--num-local', 1, '--rounds', 1, '--device', 'cpu')
    assert 0 < result['share_of_bare_nets'] and result['images_per_s']['ours'] > 0
    checkpointed = run('throughput', '--batch-size', 1, '--num-local', 1, '--rounds', 1, '--device', 'cpu', '--with-cp')
    assert checkpointed['kept_mib']['ours'] < result['kept_mib']['ours']


@pytest.mark.slow
def test_scaling_over_images_crops_and_processes(tmp_path):
    result = run(
        'scaling',
        '--images',
        1,
        2,
        3,
        '--crops',
        1,
        2,
        4,
        '--batch-size',
        1,
        '--processes',
        1,
        2,
        '--arch',
        'deit-tiny',
        '--rounds',
        1,
        '--device',
        'cpu',
        '--out',
        tmp_path / 'scaling.png',
    )
    assert result['images']['ours']['slope'] > 0 and result['local views']['ours']['slope'] > 0
    assert {count: set(rates) for count, rates in result['processes'].items()} == {'1': {'ours'}, '2': {'ours'}}
    assert (tmp_path / 'scaling.png').stat().st_size > 10000


@pytest.mark.slow
def test_the_loader_against_ready_batches():
    result = run(
        'end_to_end',
        BENCHMARKS.parents[1] / 'configs/gtsa_quickstart.py',
        '--batch-size',
        2,
        '--iters',
        2,
        '--device',
        'cpu',
        '--cfg-options',
        'model.backbone.arch.num_layers=1',
    )
    assert 0 < result['share'] < 1.5 and result['num_workers'] == 1


@pytest.mark.slow
def test_curves_of_the_fast_and_the_plain_run_overlap(tmp_path):
    """200 steps from random weights: the gap of the curves is much smaller than their decrease."""
    result = run(
        'curves',
        BENCHMARKS.parents[1] / 'configs/gtsa_quickstart.py',
        '--batch-size',
        8,
        '--iters',
        200,
        '--device',
        'cpu',
        '--out',
        tmp_path / 'curves.png',
        '--cfg-options',
        'model.backbone.arch.num_layers=1',
        'optim_wrapper.optimizer.lr=1e-3',
    )
    assert result['first_step_gap'] < 0.01
    assert result['gap'] < 0.1 * result['fall'] and (tmp_path / 'curves.png').is_file()
