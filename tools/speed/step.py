"""Times the stages of a pretraining step: `python tools/speed/step.py CONFIG --batch-size 32 --iters 20`.

Runs the data pipeline, model and optimizer wrapper of the config and times their methods. On a GPU, CUDA events measure
the stages without synchronisation: "data" is the time the GPU waits for a batch. All losses are enabled, as after the
warm-up. With `--reference DIR` (a checkout of github.com/bok3948/GTSA), the step of the official code is timed next on
the same images; it has no stage "preprocess". The last line of the output is JSON.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
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
from measuring import check_minimum, ratio, report
from mmengine.runner import Runner
from official import check_same_net, check_views, official_run
from stage_clock import StageClock, peak_memory_mib, timed_method

from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.progress import ProgressBar

# Methods of each stage. A nested stage is not counted in the outer one ('losses' is `loss` without the forwards).
MODEL_STAGES = {
    'preprocess': ['data_preprocessor.forward'],
    'student forward': ['extract_feat', 'project_student', 'neck.forward', 'head.predict'],
    'teacher forward': ['teacher.forward', 'project_teacher'],
    'losses': ['loss'],
    'ema': ['update_teacher'],
}
OPTIONAL = ('head.predict', 'project_student', 'project_teacher')  # DINO has no predictor, D3SSL projects regions
OPTIMIZER_STAGES = {'backward': ['backward'], 'optimizer': ['step', 'zero_grad']}
OFFICIAL_STAGES = {
    'student forward': ['model.base_MultiCropWrapper'],
    'teacher forward': ['model.momentum_MultiCropWrapper'],
    'losses': ['model.roi_align', 'model.rot_predict'],
    'ema': ['model._update_momentum_encoder'],
    'backward': ['backward'],
    'optimizer': ['optimize'],
}
ORDER = ('data', 'preprocess', 'student forward', 'teacher forward', 'losses', 'backward', 'optimizer', 'ema', 'other')


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--warmup', type=int, default=3, help='untimed steps before the timed ones (default: 3)')
    add_reference_and_out(parser)


def time_ours(runner: Runner, warmup: int, iters: int) -> StageClock:
    """Runs our training steps and returns the clock of the timed ones.

    Raises:
        UserError: There are fewer images than the batch size, or the model lacks a timed method.
    """
    from mmssl_geo.engine.runner_values import accumulative_counts

    model, loader = runner.model, runner.build_dataloader(runner.cfg.train_dataloader, seed=runner.seed)
    if len(loader) == 0:
        raise UserError(f'{len(loader.dataset)} images are fewer than one batch: lower --batch-size')
    optimizer = runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    optimizer.initialize_count_status(model, 0, warmup + iters)
    model.init_weights()
    model.train()

    def step(batch: Any, number: int) -> None:
        if number % accumulative_counts(runner) == 0:
            model.update_teacher(0.996)
        model.train_step(batch, optimizer)

    parts = ((model, MODEL_STAGES), (optimizer, OPTIMIZER_STAGES))
    return time_steps(step, endless(loader), parts, next(model.parameters()).device, warmup, iters)


def time_official(folder: str | Path, runner: Runner, warmup: int, iters: int) -> StageClock:
    """Runs the training steps of the official code and returns the clock of the timed ones."""
    training, batches = official_run(folder, runner)
    return time_steps(
        lambda batch, number: training.step(batch),
        batches,
        ((training, OFFICIAL_STAGES),),
        training.device,
        warmup,
        iters,
    )


def time_steps(
    step: Callable[..., Any], batches: Iterator[Any], parts: Any, device: torch.device | str, warmup: int, iters: int
) -> StageClock:
    """Calls `step(batch, number)` repeatedly and returns the clock of the timed steps.

    Args:
        step: Function that trains on one batch.
        batches: Batches to train on.
        parts: Pairs of an object and its method paths by stage.
        device: Device whose clock is used.
        warmup: Number of untimed steps.
        iters: Number of timed steps.
    """
    clock = StageClock(device)
    with ExitStack() as stack:
        for owner, stages in parts:
            for stage, paths in stages.items():
                for path in paths:
                    holder, _, name = path.rpartition('.')
                    if path in OPTIONAL and not hasattr(getattr(owner, holder) if holder else owner, name):
                        continue
                    stack.enter_context(timed_method(clock, stage, owner, path))
        progress = ProgressBar(warmup + iters, 'steps')
        for number in range(warmup + iters):
            progress.update()
            if number == warmup:
                clock.restart()
            with clock.stage('data'):
                batch = next(batches)
            step(batch, number)
        clock.finish()
    progress.close()
    return clock


def summarise(clock: StageClock, runner: Runner, iters: int) -> dict[str, Any]:
    """Collects our measurements for JSON; times are in milliseconds per step."""
    batch_size = runner.cfg.train_dataloader.batch_size
    kind, mib = peak_memory_mib(clock.device)
    return dict(
        config=runner.cfg.filename,
        device=str(clock.device),
        batch_size=batch_size,
        iters=iters,
        dtype=precision_name(runner),
        num_workers=runner.cfg.train_dataloader.num_workers,
        **step_times(clock, batch_size, iters),
        peak_memory_mib=mib,
        peak_memory_kind=kind,
    )


def step_times(clock: StageClock, batch_size: int, iters: int) -> dict[str, Any]:
    seconds = clock.seconds()
    total = sum(seconds.values())
    return dict(
        images_per_s=batch_size * iters / total,
        step_ms=1000 * total / iters,
        stages_ms={stage: 1000 * seconds.get(stage, 0.0) / iters for stage in ORDER},
    )


def format_table(result: dict[str, Any]) -> str:
    """Formats the result as a readable table."""
    columns = {'ms per step': result, **({'official': result['official']} if 'official' in result else {})}
    lines = [f'{"stage":<18}' + ''.join(f'{name:>12}{"share":>9}' for name in columns)]
    for stage in (*ORDER, 'step'):
        values = [
            (column['step_ms'] if stage == 'step' else column['stages_ms'][stage], column['step_ms'])
            for column in columns.values()
        ]
        lines.append(f'{stage:<18}' + ''.join(f'{ms:>12.1f}{ms / total:>9.1%}' for ms, total in values))
    lines.append(
        f'{result["images_per_s"]:.2f} images/s, batch {result["batch_size"]}, {result["device"]}, '
        f'{result["dtype"]}; {result["peak_memory_kind"]}: {result["peak_memory_mib"]:.0f} MiB'
    )
    return '\n'.join(lines)


def main() -> None:
    args = parse_args(__doc__, add_options)
    check_args(args)
    check_minimum(args, warmup=0)
    import torch

    from mmssl_geo.apis.train import build_runner

    with tempfile.TemporaryDirectory() as folder:
        cfg = prepare_config(args, folder, lambda loader: args.warmup + count_prefetched(loader) + args.iters)
        runner = build_runner(cfg, amp=args.amp_dtype in ('float16', 'bfloat16'))
        if args.reference:
            check_same_net(cfg)
            check_views(args.reference)
        warmup = args.warmup
        if torch.cuda.is_available():  # consume the batches prefetched during the slow first steps
            warmup += count_prefetched(cfg.train_dataloader)
        result = summarise(time_ours(runner, warmup, args.iters), runner, args.iters)
        if args.reference:
            clock = time_official(args.reference, runner, warmup, args.iters)
            result['official'] = step_times(clock, result['batch_size'], args.iters)
            result['ratio_official'] = ratio(result['step_ms'], result['official']['step_ms'])
    print(format_table(result))
    report(result, args.out)


if __name__ == '__main__':
    run_tool(main)
