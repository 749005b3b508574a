"""Compares training steps fed by the data loader with steps on a preloaded batch.

    python tools/speed/end_to_end.py configs/gtsa_vits16_coco.py --images DIR --batch-size 64 --iters 100

Runs complete steps with the pipeline, loader, model and optimizer of the config. Blocks of both kinds alternate, and
the first block of each is a warm-up. Prefetched batches are consumed before the clock starts. With `--reference DIR` (a
checkout of github.com/bok3948/GTSA), blocks of the official code alternate with them, on the same images and with the
same number of workers. The last line of the output is JSON; `share` is the rate with the loader divided by the rate on
a ready batch (1: the loader costs nothing).
"""

import itertools
import statistics
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import torch
from config_runs import (
    add_reference_and_out,
    check_args,
    count_prefetched,
    endless,
    parse_args,
    precision_name,
    prepare_config,
)
from measuring import report, timed
from mmengine.runner import Runner
from official import check_same_net, check_views, official_run

from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.progress import ProgressBar

BLOCKS = 3


def our_run(runner: Runner) -> tuple[Callable[[Any], None], Iterator[Any]]:
    """Returns a function that trains on one batch, and the batches.

    Raises:
        UserError: There are fewer images than the batch size.
    """
    model, loader = runner.model, runner.build_dataloader(runner.cfg.train_dataloader, seed=runner.seed)
    if len(loader) == 0:
        raise UserError(f'{len(loader.dataset)} images are fewer than one batch: lower --batch-size')
    optimizer = runner.optim_wrapper
    model.init_weights()
    model.train()

    def step(batch: Any) -> None:
        model.update_teacher(0.996)
        model.train_step(batch, optimizer)

    return step, endless(loader)


def time_blocks(runs: dict[str, Any], iters: int, num_prefetched: int) -> dict[Any, float]:
    """Measures the median seconds per step, without the warm-up blocks.

    Args:
        runs: Step function and batches of each run, by name.
        iters: Steps per block.
        num_prefetched: Untimed steps before each loader block; they consume batches prefetched during other blocks.

    Returns:
        Seconds by `(name, 'loader' or 'ready')`.
    """
    sources = {}
    for name, (step, batches) in runs.items():
        ready = next(batches)
        sources[name, 'ready'] = step, itertools.repeat(ready)
        sources[name, 'loader'] = step, batches
    seconds: dict[Any, list[float]] = {key: [] for key in sources}
    progress = ProgressBar((BLOCKS + 1) * len(sources), 'blocks')
    for block in range(BLOCKS + 1):
        for key, (step, source) in sources.items():
            for _ in range(num_prefetched if key[1] == 'loader' else 0):
                step(next(source))
            with timed() as clock:
                for _ in range(iters):
                    step(next(source))
                if torch.cuda.is_available():
                    torch.cuda.synchronize()
            if block:
                seconds[key].append(clock.seconds / iters)
            progress.set_postfix_str(', '.join(key), refresh=False)
            progress.update()
    progress.close()
    return {key: statistics.median(values) for key, values in seconds.items()}


def main() -> None:
    args = parse_args(__doc__, add_reference_and_out)
    check_args(args)
    from mmssl_geo.apis.train import build_runner

    with tempfile.TemporaryDirectory() as folder:
        cfg = prepare_config(args, folder, lambda loader: 1 + (BLOCKS + 1) * (args.iters + count_prefetched(loader)))
        if args.reference:
            check_same_net(cfg)
            check_views(args.reference)
        runner = build_runner(cfg, amp=args.amp_dtype in ('float16', 'bfloat16'))
        runs = {'ours': our_run(runner)}
        if args.reference:
            training, batches = official_run(args.reference, runner)
            runs['official'] = training.step, batches
        seconds = time_blocks(runs, args.iters, count_prefetched(cfg.train_dataloader))
    batch_size, workers = cfg.train_dataloader.batch_size, cfg.train_dataloader.num_workers
    rates = {name: {kind: batch_size / seconds[name, kind] for kind in ('loader', 'ready')} for name in runs}
    shares = {name: rate['loader'] / rate['ready'] for name, rate in rates.items()}
    for name, rate in rates.items():
        print(
            f'{name}: {rate["loader"]:.2f} images/s with {workers} workers, {rate["ready"]:.2f} on a ready batch: '
            f'{shares[name]:.1%}'
        )
    result = dict(
        config=args.config,
        dtype=precision_name(runner),
        batch_size=batch_size,
        num_workers=workers,
        images_per_s=rates['ours'],
        share=shares['ours'],
    )
    if args.reference:
        result.update(
            official_images_per_s=rates['official'],
            official_share=shares['official'],
            ratio_official=rates['ours']['loader'] / rates['official']['loader'],
        )
    report(result, args.out)


if __name__ == '__main__':
    run_tool(main)
