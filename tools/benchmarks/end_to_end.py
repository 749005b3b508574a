"""Steps fed by the loader against steps on a batch that is ready: does the loader keep up?

    python tools/benchmarks/end_to_end.py configs/gtsa_vits16_coco.py --images DIR --batch-size 64 --iters 100

The config's own pipeline, loader, model and optimizer run, with all that belongs to a step. Blocks of either kind
take turns, the first of each warms up. The last line of the output is JSON; `share` is the rate with the loader over
the rate on a ready batch (1: the loader costs nothing).
"""
import json
import statistics
import tempfile
from pathlib import Path

import torch
from measuring import end_progress, show_progress, timed
from step import check_args, endless, parse_args, prepare_config

from mmssl_geo.cli import run_tool
from mmssl_geo.errors import UserError

BLOCKS = 3


def time_blocks(runner, iters):
    """Seconds of a step of each block: `{'loader': [...], 'ready': [...]}`, those that warm up left out."""
    model, loader = runner.model, runner.build_dataloader(runner.cfg.train_dataloader, seed=runner.seed)
    if len(loader) == 0:
        raise UserError(f'{len(loader.dataset)} images are less than one batch: lower --batch-size')
    optimizer = runner.optim_wrapper
    model.init_weights()
    model.train()
    batches = endless(loader)
    ready = next(batches)
    seconds = {'loader': [], 'ready': []}
    for block in range(BLOCKS + 1):
        for name, source in (('ready', iter(lambda: ready, None)), ('loader', batches)):
            with timed() as clock:
                for _ in range(iters):
                    model.update_teacher(0.996)
                    model.train_step(next(source), optimizer)
                if torch.cuda.is_available():
                    torch.cuda.synchronize()
            if block:
                seconds[name].append(clock.seconds / iters)
            show_progress(f'block {block}/{BLOCKS}: {name}')
    end_progress()
    return seconds


def main():
    args = parse_args(__doc__)
    check_args(args)
    from mmssl_geo.launch import build_runner
    with tempfile.TemporaryDirectory() as folder:
        cfg = prepare_config(args, folder, num_batches=(BLOCKS + 2) * args.iters)
        runner = build_runner(cfg, amp=args.amp_dtype in ('float16', 'bfloat16'))
        seconds = {name: statistics.median(values) for name, values in time_blocks(runner, args.iters).items()}
    batch_size, workers = cfg.train_dataloader.batch_size, cfg.train_dataloader.num_workers
    rates = {name: batch_size / value for name, value in seconds.items()}
    result = dict(config=args.config, batch_size=batch_size, num_workers=workers, images_per_s=rates,
                  share=rates['loader'] / rates['ready'])
    print(f'{rates["loader"]:.2f} images/s with {workers} workers, {rates["ready"]:.2f} on a ready batch: '
          f'{result["share"]:.1%}')
    if args.out:
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        Path(args.out).write_text(json.dumps(result, indent=2) + '\n')
    print(json.dumps(result))


if __name__ == '__main__':
    run_tool(main)
