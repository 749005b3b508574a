"""Shared code of the benchmarks that run a config: options, config preparation and endless batches."""

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mmengine.runner import Runner

from mmssl_geo.utils.errors import UserError


def parse_args(
    description: str | None, add_options: Callable[[argparse.ArgumentParser], Any] = lambda parser: None
) -> argparse.Namespace:
    """Parses the common options of these benchmarks and the ones added by `add_options(parser)`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='pretraining config file')
    parser.add_argument('--batch-size', type=int, help="images per step (default: the config's)")
    parser.add_argument('--iters', type=int, default=20, help='timed steps (default: 20)')
    parser.add_argument('--device', choices=['cpu', 'cuda'], help='default: the GPU if one is available')
    parser.add_argument(
        '--amp-dtype',
        choices=['float16', 'bfloat16', 'float32'],
        help="precision; a CPU supports bfloat16 only; float32 disables mixed precision (default: the config's)",
    )
    parser.add_argument('--images', help='folder of images (default: generated noise, 640 x 480 JPEG)')
    add_options(parser)
    early = argparse.ArgumentParser(add_help=False)
    early.add_argument('--device')
    if early.parse_known_args()[0].device == 'cpu':
        os.environ['CUDA_VISIBLE_DEVICES'] = ''  # before mmengine looks for a GPU
    from mmssl_geo.utils.config import CfgOptionsAction

    parser.add_argument('--cfg-options', nargs='+', action=CfgOptionsAction, help='key=value overrides of the config')
    return parser.parse_args()


def add_reference_and_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--reference', help='checkout of the official repository')
    parser.add_argument('--out', help='also write the JSON to this file')


def check_args(args: argparse.Namespace) -> None:
    """Checks the options.

    Raises:
        UserError: An option is invalid.
    """
    import torch
    from measuring import check_minimum, check_out

    if args.device == 'cuda' and not torch.cuda.is_available():
        raise UserError('--device cuda: torch does not find a GPU')
    check_minimum(args, batch_size=1, iters=1)
    check_out(args.out)
    if args.images and not Path(args.images).is_dir():
        raise UserError(f'--images {args.images}: the folder does not exist')


def prepare_config(args: argparse.Namespace, folder: str | Path, count_batches: Callable[[Any], int]) -> Any:
    """Loads the config with the command-line options and enough images for all batches of one epoch.

    Workers start each epoch without prefetched batches; a single epoch keeps that pause out of the timing.

    Args:
        args: Result of `parse_args`.
        folder: Folder for logs, image lists and generated images.
        count_batches: Maps the config of the loader to the number of batches the benchmark uses.

    Raises:
        UserError: The config is not a pretraining config, or there are no images.
    """
    from mmssl_geo.apis.config import load_config

    cfg = load_config(args.config, args.cfg_options, work_dir=str(Path(folder) / 'run'))
    if 'optim_wrapper' not in cfg or not str(cfg.get('model', {}).get('type')).startswith('mmssl_geo.'):
        raise UserError(
            f'config {args.config} is not a pretraining config: use one such as configs/gtsa_vits16_coco.py'
        )
    loader = cfg.train_dataloader
    loader.batch_size = args.batch_size or loader.batch_size
    images = args.images
    if images is None:
        images = Path(folder) / 'noise'
        write_noise(images)
        if 'regions' in loader.dataset.pipeline:
            loader.dataset.pipeline.regions = dict(type='mmssl_geo.GridRegions')  # noise has no proposals
    listed = Path(folder).absolute() / 'images.txt'
    list_images(images, count_batches(loader) * loader.batch_size, listed)
    loader.dataset.update(data_root=str(Path(images).absolute()), data_prefix='', ann_file=str(listed))
    if args.amp_dtype == 'float32':
        cfg.optim_wrapper.type = cfg.optim_wrapper.type.replace('Amp', '')
        cfg.optim_wrapper.pop('dtype', None)
        cfg.optim_wrapper.pop('loss_scale', None)
    elif args.amp_dtype:
        cfg.optim_wrapper.dtype = args.amp_dtype
    cfg.visualizer = dict(type='Visualizer')
    cfg.log_level = 'WARNING'
    return cfg


def count_prefetched(loader: Any) -> int:
    """Returns the maximum number of batches that the workers prefetch, from the config of the loader."""
    return loader.num_workers * (loader.get('prefetch_factor') or 2)


def precision_name(runner: Runner) -> str:
    """Returns the precision of the optimizer wrapper: 'float32', 'bfloat16' or 'float16'."""
    return str(getattr(runner.optim_wrapper, 'cast_dtype', 'float32')).removeprefix('torch.')


def list_images(folder: str | Path, num_entries: int, path: Path) -> None:
    """Writes a list of the images under a folder, repeated until it has at least `num_entries` lines.

    Raises:
        UserError: There are no images.
    """
    from mmssl_geo.datasets.image_names import EXTENSIONS, scan_folder

    names = list(scan_folder(str(folder), EXTENSIONS))
    if not names:
        raise UserError(f'--images {folder}: the folder and its subfolders contain no images')
    repeats = max(1, -(-num_entries // len(names)))
    path.write_text(''.join(f'{name}\n' for name in names * repeats))


def write_noise(folder: Path) -> None:
    """Writes 32 blurred noise images."""
    import numpy as np
    from PIL import Image

    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(32):
        coarse = Image.fromarray(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8))
        coarse.resize((640, 480), Image.Resampling.BICUBIC).save(folder / f'{number}.jpg', quality=90)


def endless(loader: Any) -> Iterator[Any]:
    """Yields batches of the loader, epoch after epoch."""
    epoch = 0
    while True:
        loader.sampler.set_epoch(epoch)
        yield from loader
        epoch += 1
