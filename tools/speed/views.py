"""Times view generation per image on one core: `python tools/speed/views.py --images DIR`.

    git clone https://github.com/bok3948/GTSA official
    python tools/speed/views.py --images DIR --reference official --workers 4

Stages: decoding alone; the floor, which is decoding and ten antialiased 8-bit resizes of crops; the pipeline of the
config with photometric augmentation on the device; the whole pipeline with normalisation on the CPU; with
`--reference` the official pipeline. With `--workers` the pipelines also run in a DataLoader (ours without
normalisation, which the training process does). Each round times every stage and the median of the rounds is reported,
so that load on the machine affects all stages equally. The last line of the output is JSON; ratios without a reference
are null.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import check_minimum, check_out, report

from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.config import CfgOptionsAction
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.paths import resource_root
from mmssl_geo.utils.progress import ProgressBar

CONFIG = resource_root() / 'configs' / 'gtsa_vits16_coco.py'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', nargs='?', default=CONFIG, help='config with multi-crop views (default: %(default)s)')
    parser.add_argument('--images', required=True, help='folder of images')
    parser.add_argument('--reference', help='checkout of the official GTSA repository, timed in the same run')
    parser.add_argument('--num-images', type=int, default=64, help='number of images (default: %(default)s)')
    parser.add_argument('--rounds', type=int, default=7, help='timed rounds (default: %(default)s)')
    parser.add_argument('--workers', type=int, default=0, help='DataLoader workers; 0 skips it (default: %(default)s)')
    parser.add_argument(
        '--batch-size', type=int, default=16, help='batch size of the DataLoader (default: %(default)s)'
    )
    parser.add_argument('--out', help='also write the JSON to this file')
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptionsAction, help='key=value overrides of the config')
    return parser.parse_args()


def check_args(args: argparse.Namespace) -> None:
    """Checks the options.

    Raises:
        UserError: An option is invalid.
    """
    check_minimum(args, num_images=1, rounds=1, workers=0, batch_size=1)
    check_out(args.out)
    if not Path(args.images).is_dir():
        raise UserError(f'--images {args.images}: the folder does not exist')
    if args.reference:
        from official import check_views

        check_views(args.reference)


def build_datasets(args: argparse.Namespace) -> dict[str, Any]:
    """Builds a dataset for each place of the photometric augmentation, and the official one with `--reference`.

    Raises:
        UserError: The config has no multi-crop views.
    """
    from mmssl_geo.apis.config import load_config
    from mmssl_geo.apis.config_errors import explain_config_errors
    from mmssl_geo.datasets import MultiCrop
    from mmssl_geo.registry import DATASETS

    whole = load_config(args.config, args.cfg_options)
    cfg = whole.train_dataloader.dataset
    cfg.update(data_root=str(Path(args.images).absolute()), data_prefix='', ann_file=None, seed=0)
    if 'crop' not in cfg.pipeline or 'photometric' not in cfg.pipeline:
        raise UserError(
            f'config {args.config}: its pipeline has no step "crop" or "photometric"; use a GTSA or DINO config'
        )
    datasets = {}
    for where in ('device', 'worker'):
        cfg.pipeline.photometric.where = where
        with explain_config_errors(whole, 'cannot be built'):
            datasets[where] = DATASETS.build(whole.train_dataloader.dataset)
    if not isinstance(datasets['device'].pipeline.transforms[0], MultiCrop):
        raise UserError(f'config {args.config}: the first step of its pipeline is not MultiCrop')
    if args.reference:
        from official import OfficialImages, check_same_views, official_views

        check_same_views(whole)
        crop = datasets['device'].pipeline.transforms[0]
        datasets['official'] = OfficialImages(datasets['device'], official_views(args.reference, crop))
    return datasets


def make_stages(args: argparse.Namespace, datasets: dict[str, Any], count: int) -> dict[str, Callable[[int], Any]]:
    """Returns the stages by name, as functions of the index of an image.

    Raises:
        UserError: One of the images cannot be read.
    """
    import torch
    from torch.nn import functional as F
    from torch.utils.data import default_collate

    from mmssl_geo.datasets.image_reading import UnreadableImage
    from mmssl_geo.models import MultiViewDataPreprocessor

    dataset = datasets['device']
    crop = dataset.pipeline.transforms[0]
    for index in range(count):
        try:
            dataset.decode(index)
        except UnreadableImage as error:
            raise UserError(f'--images: {error}; remove it or lower --num-images') from error
    records = [
        [record for _, record in crop(dict(img=dataset.decode(index), seed=0, epoch=0, sample_idx=index))['views']]
        for index in range(count)
    ]

    def floor(index: int) -> None:
        image = torch.from_numpy(dataset.decode(index)).permute(2, 0, 1)[None]
        for record in records[index]:
            x1, y1, x2, y2 = map(int, record.crop_box_src)
            piece = image[..., y1:y2, x1:x2].contiguous(memory_format=torch.channels_last)
            F.interpolate(piece, record.size, mode=crop.interpolation, antialias=True)

    preprocessor = MultiViewDataPreprocessor()  # normalises, as the official transform does
    stages = {
        'decode': dataset.decode,
        'floor': floor,
        'ours, photometric augmentation on the device': lambda index: dataset[index, 0],
        'ours, all on the CPU': lambda index: preprocessor(default_collate([datasets['worker'][index, 0]])),
    }
    if 'official' in datasets:
        stages['official'] = datasets['official'].__getitem__
    return stages


def time_stages(stages: dict[str, Any], count: int, rounds: int) -> dict[str, float]:
    """Returns the CPU milliseconds per image by stage, as the median of the rounds."""
    times: dict[str, list[float]] = {name: [] for name in stages}
    progress = ProgressBar((rounds + 1) * len(stages), 'timings')
    for _ in range(rounds + 1):  # the first round is a warm-up
        for name, work in stages.items():
            progress.set_postfix_str(name, refresh=False)
            progress.update()
            start = time.process_time()
            for index in range(count):
                work(index)
            times[name].append(1000 * (time.process_time() - start) / count)
    progress.close()
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def loader_rates(datasets: dict[str, Any], args: argparse.Namespace) -> dict[str, float]:
    """Returns the images per second of a DataLoader, by dataset."""
    from torch.utils.data import DataLoader

    rates = {}
    for name, dataset in datasets.items():
        order = [index % len(dataset) for index in range(9 * args.workers * args.batch_size)]
        loader = DataLoader(dataset, args.batch_size, sampler=order, num_workers=args.workers, prefetch_factor=1)
        batches = iter(loader)
        for _ in range(args.workers):
            next(batches)  # wait until each worker has started
        start = time.perf_counter()
        rates[name] = args.batch_size * sum(1 for _ in batches) / (time.perf_counter() - start)
    return rates


def summarise(times: dict[str, Any], rates: dict[str, Any]) -> dict[str, Any]:
    """Collects the measurements for JSON."""
    device, cpu = times['ours, photometric augmentation on the device'], times['ours, all on the CPU']
    official = times.get('official')
    return dict(
        ratio_device=official and official / device,
        ratio_cpu=official and official / cpu,
        ratio_floor=device / times['floor'],
        ms_per_image=times,
        loader_images_per_s=rates,
    )


def main() -> None:
    args = parse_args()
    check_args(args)
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    datasets = build_datasets(args)
    count = min(args.num_images, len(datasets['device']))
    times = time_stages(make_stages(args, datasets, count), count, args.rounds)
    for name, milliseconds in times.items():
        print(f'{name:<40}{milliseconds:>8.2f} ms per image{1000 / milliseconds:>9.0f} images/s per core')
    rates = loader_rates(datasets, args) if args.workers else {}
    for name, rate in rates.items():
        print(f'DataLoader, {args.workers} workers, {name:<18}{rate:>9.0f} images/s')
    result = dict(
        summarise(times, rates),
        config=str(args.config),
        num_images=count,
        rounds=args.rounds,
        workers=args.workers,
        batch_size=args.batch_size,
    )
    report(result, args.out)


if __name__ == '__main__':
    run_tool(main)
