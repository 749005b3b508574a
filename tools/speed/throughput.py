"""Measures speed and memory of a step on precomputed views: our model, the networks alone, the official code.

    python tools/speed/throughput.py --batch-size 64 --dtype bfloat16 --compile --reference DIR

ViT-S/16, 2 x 224 + 8 x 96 px views. "Bare nets" is the student forward and backward and the teacher forward, without
losses, clipping, optimizer and teacher update. "Kept" is the memory of distinct tensors that one forward saves for the
backward pass. On a GPU, the output also has the peak of allocated memory and the throughput relative to the measured
matrix-product rate. DIR is a checkout of github.com/bok3948/GTSA. The last line of the output is JSON.
"""

import argparse
import gc
import json
from collections.abc import Callable
from pathlib import Path

import torch
from candidates import bare_nets, build_model, official_step, our_step
from measuring import check_device, check_minimum, kept_for_backward_mib, ratio, time_interleaved, timed
from ready_batches import random_views
from reference import load_reference

from mmssl_geo.structures import ViewBatch
from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError

GFLOP_PER_IMAGE = 151.0  # per step, ViT-S/16 and views of the paper: forward 1, backward 2, teacher 1 (global views)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--batch-size', type=int, default=8, help='images (default: 8)')
    parser.add_argument('--rounds', type=int, default=5, help='timed rounds (default: 5)')
    parser.add_argument('--num-local', type=int, default=8, help='local views per image (default: 8)')
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--dtype', choices=['float32', 'bfloat16', 'float16'], default='float32')
    parser.add_argument('--compile', action='store_true', help='compile our networks, also in the bare nets')
    parser.add_argument('--with-cp', action='store_true', help='use activation checkpointing, also in the bare nets')
    parser.add_argument('--threads', type=int, default=1, help='torch threads on a CPU (default: 1)')
    parser.add_argument('--reference', help='checkout of the official repository')
    args = parser.parse_args()
    check_device(args.device)
    check_minimum(args, batch_size=1, rounds=1, num_local=1, threads=1)
    if args.dtype == 'float16' and args.device == 'cpu':
        raise UserError('--dtype float16 needs a GPU; on a CPU use bfloat16 or float32')
    return args


def make_step(name: str, args: argparse.Namespace, views: ViewBatch) -> Callable[[], None]:
    """Returns a function that runs one step of the candidate `name` on a separate model."""
    dtype = getattr(torch, args.dtype)
    if name == 'official':
        return official_step(load_reference(Path(args.reference)), views, dtype)
    model = build_model(args.device, **{'model.backbone.with_cp': args.with_cp})
    if args.compile:
        for part in (model.backbone, model.neck, model.head.predictor, model.teacher.backbone, model.teacher.neck):
            part.compile(dynamic=False)
    return dict(ours=our_step, **{'bare nets': bare_nets})[name](model, views, dtype)


def matrix_rate(device: torch.device | str, dtype: torch.dtype, size: int = 8192, repeats: int = 20) -> float:
    """Measures the FLOP/s of large square matrix products."""
    a = torch.randn(size, size, device=device, dtype=dtype)
    for _ in range(3):
        a @ a
    torch.cuda.synchronize(device)
    with timed() as clock:
        for _ in range(repeats):
            a @ a
        torch.cuda.synchronize(device)
    return 2 * size**3 * repeats / clock.seconds


def peak_mib(name: str, args: argparse.Namespace, views: ViewBatch) -> float:
    """Measures the peak of allocated GPU memory in the second step of a candidate, with no other candidate loaded."""
    gc.collect()
    step = make_step(name, args, views)
    step()
    torch.cuda.reset_peak_memory_stats()
    step()
    return torch.cuda.max_memory_allocated() / 2**20


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    views = random_views(args.batch_size, args.num_local, device=args.device)
    steps = {
        name: make_step(name, args, views) for name in ('ours', 'bare nets', *(['official'] if args.reference else []))
    }
    seconds = time_interleaved(steps, args.rounds, args.device)
    rates = {name: args.batch_size / value for name, value in seconds.items()}
    kept = {name: kept_for_backward_mib(step) for name, step in steps.items()}
    result = dict(
        batch_size=args.batch_size,
        device=args.device,
        dtype=args.dtype,
        compiled=args.compile,
        with_cp=args.with_cp,
        images_per_s=rates,
        kept_mib=kept,
        ratio_official=ratio(seconds['ours'], seconds.get('official')),
        share_of_bare_nets=seconds['bare nets'] / seconds['ours'],
        kept_ratio_official=kept['ours'] / kept['official'] if args.reference else None,
    )
    if args.device == 'cuda':
        rate, names = matrix_rate(args.device, getattr(torch, args.dtype)), list(steps)
        steps.clear()
        result.update(peak_mib={name: peak_mib(name, args, views) for name in names}, matrix_tflops=rate / 1e12)
        if args.num_local == 8:
            result['share_of_matrix_rate'] = rates['ours'] * GFLOP_PER_IMAGE * 1e9 / rate
    for name in rates:
        print(f'{name:<10}{rates[name]:>10.2f} images/s{kept[name]:>10.0f} MiB kept for the backward pass')
    print(json.dumps(result))


if __name__ == '__main__':
    run_tool(main)
