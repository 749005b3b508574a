"""Plots the loss curves of a fast and a plain run in one figure.

    python tools/speed/curves.py configs/gtsa_quickstart.py --images DIR --iters 200 --out curves.png

Both runs start from the same weights and see the same batches. Fast: half precision, multi-tensor (GPU: fused)
optimizer, box pooling by matrix products. Plain: float32, single-tensor optimizer, torchvision's RoIAlign. The last
line of the output is JSON: `gap` is the mean absolute difference of the two total-loss curves, `fall` the decrease of
the plain curve.
"""

import argparse
import json
import tempfile
from contextlib import nullcontext
from typing import Any
from unittest import mock

import torch
from config_runs import check_args, endless, parse_args, prepare_config
from torch import Tensor

from mmssl_geo.geometry import pool_boxes
from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.progress import ProgressBar

SMOOTHING = 10  # steps


def pool_by_roi_align(maps: Tensor, boxes_feat: Tensor, output_size: int) -> Tensor:
    """Computes `pool_boxes_of_maps` with torchvision's RoIAlign."""
    index = torch.arange(len(maps), device=maps.device).repeat_interleave(boxes_feat.shape[1])
    return pool_boxes(maps, boxes_feat.flatten(0, 1), index, output_size).unflatten(0, (len(maps), -1))


def losses_of_run(args: argparse.Namespace, fast: bool) -> Tensor:
    """Trains and returns the total loss of every step, shape (iters,)."""
    from mmssl_geo.apis.train import build_runner

    with tempfile.TemporaryDirectory() as folder:
        cfg = prepare_config(args, folder, lambda loader: args.iters)
        cfg.randomness = dict(seed=0)
        cfg.optim_wrapper.optimizer.setdefault('lr', 5e-4)  # constant, because no hook runs
        cfg.experiment_name = f'curves_{fast}'
        if fast:
            cfg.optim_wrapper.dtype = args.amp_dtype or 'bfloat16'
        else:
            cfg.optim_wrapper.type = cfg.optim_wrapper.type.replace('Amp', '')
            cfg.optim_wrapper.pop('dtype', None)
            cfg.optim_wrapper.optimizer.foreach = False
        runner = build_runner(cfg)
        model, optimizer = runner.model, runner.optim_wrapper
        if fast and optimizer.cast_dtype == torch.float32:
            raise UserError(
                f'this machine computes {cfg.optim_wrapper.dtype} in float32, so there is nothing to '
                'compare: use --amp-dtype bfloat16 or a machine that supports half precision'
            )
        if not hasattr(model.head, 'crop_losses'):
            raise UserError(f'{args.config} is not a GTSA config, and only GTSA losses can be compared')
        model.init_weights()
        model.train()
        batches = endless(runner.build_dataloader(cfg.train_dataloader, seed=0))
        plain_pooling = mock.patch('mmssl_geo.models.heads.gtsa_head.pool_boxes_of_maps', pool_by_roi_align)
        losses, progress = [], ProgressBar(args.iters, 'fast steps' if fast else 'plain steps')
        with nullcontext() if fast else plain_pooling:
            for number in range(args.iters):
                torch.manual_seed(number)  # drop path
                model.update_teacher(0.996)
                losses.append(model.train_step(next(batches), optimizer)['loss'].detach())
                progress.update()
        progress.close()
        return torch.stack(losses).float().cpu()


def smooth(losses: Tensor) -> Tensor:
    """Averages over consecutive blocks of `SMOOTHING` steps."""
    return losses[: len(losses) // SMOOTHING * SMOOTHING].view(-1, SMOOTHING).mean(dim=1)


def draw(curves: dict[str, Any], path: str) -> None:
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(6, 4))
    for (name, losses), style in zip(curves.items(), ('-', '--'), strict=True):
        axis.plot(losses, style, label=name, linewidth=1)
    axis.set(xlabel='step', ylabel='total loss')
    axis.legend()
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    args = parse_args(__doc__, lambda parser: parser.add_argument('--out', help='figure of the curves'))
    check_args(args)
    if args.amp_dtype == 'float32':
        raise UserError('--amp-dtype float32 is the plain run: use float16 or bfloat16, or omit the option')
    if args.iters < 2 * SMOOTHING:
        raise UserError(f'--iters {args.iters}: must be at least {2 * SMOOTHING}')
    curves = {name: losses_of_run(args, name == 'fast') for name in ('fast', 'plain')}
    fast, plain = map(smooth, curves.values())
    if args.out:
        draw(curves, args.out)
    print(
        json.dumps(
            dict(
                config=args.config,
                iters=args.iters,
                gap=(fast - plain).abs().mean().item(),
                fall=(plain[0] - plain[-1]).item(),
                first_step_gap=(curves['fast'][0] - curves['plain'][0]).abs().item(),
            )
        )
    )


if __name__ == '__main__':
    run_tool(main)
