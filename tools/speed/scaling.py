"""Measures how the cost of a step scales with batch size, local views and processes.

    python tools/speed/scaling.py --images 1 2 4 8 --crops 2 4 6 8 --processes 1 2 --reference DIR --out lines.png

Uses precomputed views of random noise in the sizes of the paper. Fits a line to the seconds per step over images and
over local views; `fit` is the coefficient of determination (1: exactly linear; null for fewer than three sizes). With
several processes, each has `--batch-size` images and one thread (or one GPU), and gloo or NCCL averages the gradients.
DIR is a checkout of github.com/bok3948/GTSA, whose steps alternate with ours. The last line of the output is JSON.
"""

import argparse
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from candidates import build_model, official_step, our_step
from measuring import check_device, check_minimum, check_out, time_interleaved
from ready_batches import random_views
from reference import load_reference

from mmssl_geo.structures import ViewBatch
from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, nargs='+', default=[1, 2, 4, 8], help='batch sizes (default: 1 2 4 8)')
    parser.add_argument('--crops', type=int, nargs='+', default=[2, 4, 6, 8], help='local views (default: 2 4 6 8)')
    parser.add_argument('--processes', type=int, nargs='+', default=[1], help='numbers of processes (default: 1)')
    parser.add_argument(
        '--batch-size', type=int, default=2, help='images per process when crops or processes vary (default: 2)'
    )
    parser.add_argument('--arch', default='deit-small', help='backbone architecture (default: deit-small)')
    parser.add_argument('--dtype', choices=['float32', 'bfloat16'], default='float32')
    parser.add_argument('--rounds', type=int, default=5, help='timed rounds (default: 5)')
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--reference', help='checkout of the official repository')
    parser.add_argument('--out', help='figure of the fitted lines')
    args = parser.parse_args()
    check_device(args.device)
    check_out(args.out)
    check_minimum(args, images=1, crops=1, processes=1, batch_size=1, rounds=1)
    if args.device == 'cuda' and max(args.processes) > torch.cuda.device_count():
        raise UserError(
            f'--processes {max(args.processes)}: each process needs a GPU, and there are {torch.cuda.device_count()}'
        )
    if args.reference and args.arch != 'deit-small':
        raise UserError(
            f'--reference with --arch {args.arch}: the official code trains deit-small: omit one of the two options'
        )
    return args


def seconds_of_steps(args: argparse.Namespace, views_by_size: dict[int, Any]) -> dict[str, dict[int, float]]:
    """Returns median seconds per step by candidate and size, with alternating timings."""
    model, dtype = build_model(args.device, **{'model.backbone.arch': args.arch}), getattr(torch, args.dtype)
    steps = {('ours', size): our_step(model, views, dtype) for size, views in views_by_size.items()}
    if args.reference:
        reference = load_reference(Path(args.reference))
        steps |= {('official', size): official_step(reference, views, dtype) for size, views in views_by_size.items()}
    seconds = time_interleaved(steps, args.rounds, args.device)
    return {
        candidate: {size: seconds[candidate, size] for size in views_by_size}
        for candidate in dict.fromkeys(candidate for candidate, _ in steps)
    }


def fit_line(seconds: dict[int, float]) -> tuple[float, float, float] | tuple[None, None, None]:
    """Fits seconds over sizes; returns intercept, slope and R^2, or three None for fewer than three sizes."""
    if len(seconds) < 3:
        return None, None, None
    sizes, values = np.array(list(seconds)), np.array(list(seconds.values()))
    slope, intercept = np.polyfit(sizes, values, 1)
    residual = values - intercept - slope * sizes
    return float(intercept), float(slope), float(1 - residual.var() / values.var())


def rates_of_processes(args: argparse.Namespace, count: int) -> dict[str, float]:
    """Returns the total images per second of all processes, by candidate."""
    if count == 1:
        seconds = seconds_of_steps(args, {1: random_views(args.batch_size, device=args.device)})
        return {candidate: args.batch_size / values[1] for candidate, values in seconds.items()}
    with socket.socket() as free:
        free.bind(('localhost', 0))
        port = free.getsockname()[1]
    queue = torch.multiprocessing.get_context('spawn').SimpleQueue()
    torch.multiprocessing.spawn(_time_process, args=(args, count, port, queue), nprocs=count)
    by_process = [queue.get() for _ in range(count)]
    return {
        candidate: count * args.batch_size / max(seconds[candidate] for seconds in by_process)
        for candidate in by_process[0]
    }


def _time_process(rank: int, args: argparse.Namespace, count: int, port: int, queue: Any) -> None:
    os.environ.update(MASTER_ADDR='localhost', MASTER_PORT=str(port))
    torch.set_num_threads(1)
    on_gpu = args.device == 'cuda'
    if on_gpu:
        torch.cuda.set_device(rank)
    torch.distributed.init_process_group('nccl' if on_gpu else 'gloo', rank=rank, world_size=count)
    views = random_views(args.batch_size, device=args.device, seed=rank)
    model = build_model(args.device, **{'model.backbone.arch': args.arch})
    steps = {'ours': distributed_step(model, views, args, rank)}
    if args.reference:
        steps['official'] = official_step(
            load_reference(Path(args.reference)), views, getattr(torch, args.dtype), data_parallel=True
        )
    queue.put(time_interleaved(steps, args.rounds, args.device))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def distributed_step(model: Any, views: ViewBatch, args: argparse.Namespace, rank: int) -> Callable[[], None]:
    """Returns `our_step` of the model in a distributed data-parallel wrapper."""
    from mmengine.model import MMDistributedDataParallel

    wrapped = MMDistributedDataParallel(
        model, device_ids=[rank] if args.device == 'cuda' else None, broadcast_buffers=False
    )
    return our_step(wrapped, views, getattr(torch, args.dtype))


def draw(results: dict[str, Any], path: str) -> None:
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(results), figsize=(5 * len(results), 4), squeeze=False)
    for axis, (name, by_candidate) in zip(axes[0], results.items(), strict=True):
        for candidate, result in by_candidate.items():
            sizes = np.array(list(result['seconds']))
            fit = '' if result['fit'] is None else f', fit {result["fit"]:.4f}'
            (dots,) = axis.plot(sizes, list(result['seconds'].values()), 'o', label=f'{candidate}{fit}')
            if fit:
                axis.plot(sizes, result['intercept'] + result['slope'] * sizes, '-', color=dots.get_color())
        axis.set(xlabel=name, ylabel='seconds per step', ylim=(0, None), xlim=(0, None))
        axis.legend()
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    args = parse_args()
    torch.set_num_threads(1)
    batches = {
        'images': {size: random_views(size, device=args.device) for size in args.images},
        'local views': {size: random_views(args.batch_size, size, device=args.device) for size in args.crops},
    }
    results: dict[str, Any] = {}
    for name, views in batches.items():
        results[name] = {}
        for candidate, seconds in seconds_of_steps(args, views).items():
            intercept, slope, fit = fit_line(seconds)
            results[name][candidate] = dict(seconds=seconds, intercept=intercept, slope=slope, fit=fit)
            print(
                f'{name}, {candidate}: '
                + (
                    f'{intercept:.3f} s + {slope:.3f} s each, fit {fit:.4f}'
                    if fit is not None
                    else ', '.join(f'{size}: {value:.3f} s' for size, value in seconds.items())
                )
            )
    rates = {count: rates_of_processes(args, count) for count in args.processes}
    for count, by_candidate in rates.items():
        for candidate, rate in by_candidate.items():
            print(f'{count} processes, {candidate}: {rate:.2f} images/s')
    if args.out:
        draw(results, args.out)
    print(json.dumps({**results, 'processes': rates}))


if __name__ == '__main__':
    run_tool(main)
