"""Times the stages of a pretraining step: `python tools/benchmarks/step.py CONFIG --batch-size 32 --iters 20`.

The config's own data pipeline, model and optimizer wrapper run; their methods are timed in place. On a GPU the times
are taken on its own clock, without waits between the stages: "data" is then how long the GPU is idle for want of a
batch. All losses are on, as after the warm-up. The last line of the output is JSON.
"""
import argparse
import json
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from stage_clock import StageClock, peak_memory_mib, timed_method

from mmssl_geo.cli import run_tool
from mmssl_geo.errors import UserError

# Stage -> methods that make it up. Time within a nested one is its own only ('losses' is `loss` without the forwards).
MODEL_STAGES = {
    'preprocess': ['data_preprocessor.forward'],
    'student forward': ['extract_feat', 'project_student', 'neck.forward', 'head.predict'],
    'teacher forward': ['teacher.forward', 'project_teacher'],
    'losses': ['loss'],
    'ema': ['update_teacher']}
OPTIONAL = ('head.predict', 'project_student', 'project_teacher')  # DINO has no predictor, D3SSL projects regions
OPTIMIZER_STAGES = {'backward': ['backward'], 'optimizer': ['step', 'zero_grad']}
ORDER = ('data', 'preprocess', 'student forward', 'teacher forward', 'losses', 'backward', 'optimizer', 'ema', 'other')


def parse_args(description=__doc__):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='pretraining config file')
    parser.add_argument('--batch-size', type=int, help="images per step (default: the config's)")
    parser.add_argument('--iters', type=int, default=20, help='timed steps (default: 20)')
    parser.add_argument('--warmup', type=int, default=3, help='steps before them (default: 3)')
    parser.add_argument('--device', choices=['cpu', 'cuda'], help='default: the GPU if there is one')
    parser.add_argument('--amp-dtype', choices=['float16', 'bfloat16', 'float32'],
                        help="precision on a GPU; float32 switches mixed precision off (default: the config's)")
    parser.add_argument('--images', help='folder of images (default: generated noise, 640 x 480 JPEG)')
    parser.add_argument('--out', help='also write the JSON to this file')
    known, _ = parser.parse_known_args([arg for arg in sys.argv[1:] if arg not in ('-h', '--help')])
    if known.device == 'cpu':
        os.environ['CUDA_VISIBLE_DEVICES'] = ''  # before mmengine looks for a GPU
    from mmssl_geo.overrides import Overrides
    parser.add_argument('--cfg-options', nargs='+', action=Overrides, help='key=value overrides of the config')
    return parser.parse_args()


def check_args(args):
    """Raises:
        UserError: says which option is wrong.
    """
    import torch
    if args.device == 'cuda' and not torch.cuda.is_available():
        raise UserError('--device cuda: torch finds no GPU here')
    for name, least in (('batch_size', 1), ('iters', 1), ('warmup', 0)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise UserError(f'--{name.replace("_", "-")} {value}: must be at least {least}')
    if args.images and not Path(args.images).is_dir():
        raise UserError(f'--images {args.images}: there is no such folder')


def prepare_config(args, folder, num_batches):
    """The config with the options of the command line; logs and images for `num_batches` go into `folder`."""
    from mmssl_geo.launch import load_config
    cfg = load_config(args.config, args.cfg_options, work_dir=str(Path(folder) / 'run'))
    if 'optim_wrapper' not in cfg or 'train_dataloader' not in cfg:
        raise UserError(f'config {args.config} trains nothing (no train_dataloader or optim_wrapper): '
                        'give a pretraining one')
    loader = cfg.train_dataloader
    loader.batch_size = args.batch_size or loader.batch_size
    images = args.images
    if images is None:
        images = Path(folder) / 'noise'
        loader.dataset.ann_file = write_noise(images, num_batches * loader.batch_size)
        if 'regions' in loader.dataset.pipeline:
            loader.dataset.pipeline.regions = dict(type='mmssl_geo.GridRegions')  # noise has no proposals
    else:
        loader.dataset.ann_file = None
    loader.dataset.update(data_root=str(Path(images).absolute()), data_prefix='')
    if args.amp_dtype == 'float32':
        cfg.optim_wrapper.type = cfg.optim_wrapper.type.replace('Amp', '')
        cfg.optim_wrapper.pop('dtype', None)
        cfg.optim_wrapper.pop('loss_scale', None)
    elif args.amp_dtype:
        cfg.optim_wrapper.dtype = args.amp_dtype
    cfg.visualizer = dict(type='Visualizer')
    cfg.log_level = 'WARNING'
    return cfg


def write_noise(folder, num_entries):
    """Writes up to 32 blurred noise images and a list that names them `num_entries` times; returns the list's path."""
    import numpy as np
    from PIL import Image
    folder.mkdir()
    rng = np.random.default_rng(0)
    num_files = min(32, num_entries)
    for number in range(num_files):
        coarse = Image.fromarray(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8))
        coarse.resize((640, 480), Image.Resampling.BICUBIC).save(folder / f'{number}.jpg', quality=90)
    listed = folder / 'images.txt'
    listed.write_text(''.join(f'{number % num_files}.jpg\n' for number in range(num_entries)))
    return str(listed.absolute())


def endless(loader):
    """Batches of the loader, epoch after epoch."""
    epoch = 0
    while True:
        loader.sampler.set_epoch(epoch)
        yield from loader
        epoch += 1


def time_steps(runner, warmup, iters):
    """Runs the steps; returns the `StageClock` of the timed ones.

    Raises:
        UserError: if the data do not fill a batch, or the model is not made of the stages that are timed.
    """
    from mmssl_geo.engine.progress import accumulative_counts
    model, loader = runner.model, runner.build_dataloader(runner.cfg.train_dataloader, seed=runner.seed)
    if len(loader) == 0:
        raise UserError(f'{len(loader.dataset)} images are less than one batch: lower --batch-size')
    optimizer = runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    optimizer.initialize_count_status(model, 0, warmup + iters)
    model.init_weights()
    model.train()
    clock = StageClock(next(model.parameters()).device)
    with ExitStack() as stack:
        for owner, stages in ((model, MODEL_STAGES), (optimizer, OPTIMIZER_STAGES)):
            for stage, paths in stages.items():
                for path in paths:
                    holder, _, name = path.rpartition('.')
                    if path in OPTIONAL and not hasattr(getattr(owner, holder) if holder else owner, name):
                        continue
                    stack.enter_context(timed_method(clock, stage, owner, path))
        batches = endless(loader)
        for step in range(warmup + iters):
            print(f'\rstep {step + 1}/{warmup + iters}', end='', file=sys.stderr, flush=True)
            if step == warmup:
                clock.restart()
            with clock.stage('data'):
                batch = next(batches)
            if step % accumulative_counts(runner) == 0:
                model.update_teacher(0.996)
            model.train_step(batch, optimizer)
        clock.finish()
    print(file=sys.stderr)
    return clock


def summarise(clock, runner, iters):
    """What was measured, ready for JSON; times in milliseconds per step."""
    seconds = clock.seconds()
    batch_size = runner.cfg.train_dataloader.batch_size
    kind, mib = peak_memory_mib(clock.device)
    return dict(
        config=runner.cfg.filename, device=str(clock.device), batch_size=batch_size, iters=iters,
        dtype=str(getattr(runner.optim_wrapper, 'cast_dtype', 'float32')).removeprefix('torch.'),
        num_workers=runner.cfg.train_dataloader.num_workers,
        images_per_s=batch_size * iters / sum(seconds.values()), step_ms=1000 * sum(seconds.values()) / iters,
        stages_ms={stage: 1000 * seconds.get(stage, 0.) / iters for stage in ORDER},
        peak_memory_mib=mib, peak_memory_kind=kind)


def format_table(result):
    """The result for people."""
    lines = [f'{"stage":<18}{"ms per step":>12}{"share":>9}']
    for stage, ms in (*result['stages_ms'].items(), ('step', result['step_ms'])):
        lines.append(f'{stage:<18}{ms:>12.1f}{ms / result["step_ms"]:>9.1%}')
    lines.append(f'{result["images_per_s"]:.2f} images/s, batch {result["batch_size"]}, {result["device"]}, '
                 f'{result["dtype"]}; {result["peak_memory_kind"]}: {result["peak_memory_mib"]:.0f} MiB')
    return '\n'.join(lines)


def main():
    args = parse_args()
    check_args(args)
    from mmssl_geo.launch import build_runner
    with tempfile.TemporaryDirectory() as folder:
        cfg = prepare_config(args, folder, args.warmup + args.iters)
        runner = build_runner(cfg, amp=args.amp_dtype in ('float16', 'bfloat16'))
        result = summarise(time_steps(runner, args.warmup, args.iters), runner, args.iters)
    print(format_table(result))
    if args.out:
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        Path(args.out).write_text(json.dumps(result, indent=2) + '\n')
    print(json.dumps(result))


if __name__ == '__main__':
    run_tool(main)
