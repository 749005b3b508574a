"""What the benchmarks of a config share: options, the config made ready, batches without end."""

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
    """The options of the benchmarks that run a config, and those that `add_options(parser)` adds."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='pretraining config file')
    parser.add_argument('--batch-size', type=int, help="images per step (default: the config's)")
    parser.add_argument('--iters', type=int, default=20, help='timed steps (default: 20)')
    parser.add_argument('--device', choices=['cpu', 'cuda'], help='default: the GPU if there is one')
    parser.add_argument(
        '--amp-dtype',
        choices=['float16', 'bfloat16', 'float32'],
        help="precision on a GPU; float32 switches mixed precision off (default: the config's)",
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
    """Raises:
    UserError: says which option is wrong.
    """
    import torch
    from measuring import check_least, check_out

    if args.device == 'cuda' and not torch.cuda.is_available():
        raise UserError('--device cuda: torch finds no GPU here')
    check_least(args, batch_size=1, iters=1)
    check_out(args.out)
    if args.images and not Path(args.images).is_dir():
        raise UserError(f'--images {args.images}: there is no such folder')


def prepare_config(args: argparse.Namespace, folder: str | Path, count_batches: Callable[[Any], int]) -> Any:
    """The config with the options of the command line, and images for all batches in one epoch.

    A loader starts each epoch with nothing made, so an epoch's end would be timed as well.

    Args:
        args: of `parse_args`.
        folder: where logs, lists and images that are made here go.
        count_batches: function of the loader's config that says how many batches will be taken.

    Raises:
        UserError: the config is none of pretraining, or there is no image.
    """
    from mmssl_geo.apis.config import load_config

    cfg = load_config(args.config, args.cfg_options, work_dir=str(Path(folder) / 'run'))
    if 'optim_wrapper' not in cfg or not str(cfg.get('model', {}).get('type')).startswith('mmssl_geo.'):
        raise UserError(f'config {args.config} is none of pretraining: give one such as configs/gtsa_vits16_coco.py')
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
    """Batches that the workers of a loader (its config) hold ready at most."""
    return loader.num_workers * (loader.get('prefetch_factor') or 2)


def name_precision(runner: Runner) -> str:
    """'float32', 'bfloat16' or 'float16': what a runner's optimizer wrapper casts to."""
    return str(getattr(runner.optim_wrapper, 'cast_dtype', 'float32')).removeprefix('torch.')


def list_images(folder: str | Path, num_entries: int, path: Path) -> Any:
    """Writes a list of the images below a folder, again and again until it has at least `num_entries` lines.

    Raises:
        UserError: there is no image.
    """
    from mmssl_geo.datasets.image_names import EXTENSIONS, scan_folder

    names = list(scan_folder(str(folder), EXTENSIONS))
    if not names:
        raise UserError(f'--images {folder}: there is no image in it, nor below it')
    repeats = max(1, -(-num_entries // len(names)))
    path.write_text(''.join(f'{name}\n' for name in names * repeats))


def write_noise(folder: Path) -> Any:
    """Writes 32 blurred noise images."""
    import numpy as np
    from PIL import Image

    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(32):
        coarse = Image.fromarray(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8))
        coarse.resize((640, 480), Image.Resampling.BICUBIC).save(folder / f'{number}.jpg', quality=90)


def endless(loader: Any) -> Iterator[Any]:
    """Batches of the loader, epoch after epoch."""
    epoch = 0
    while True:
        loader.sampler.set_epoch(epoch)
        yield from loader
        epoch += 1
