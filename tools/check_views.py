"""Compares the views of photos with statistics of the official GTSA code on the same photos, one line per statistic.

    python tools/check_views.py view_statistics.json --images DIR --num-images 96

The statistics cover crops, overlaps, turns and pixels. Each line has our mean, the official mean, and their distance in
standard errors. Exit status: 0 if all distances are at most 5, 1 otherwise.
"""

import argparse

from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError

CONFIG = 'configs/gtsa_vits16_coco.py'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('statistics', help='JSON file of the official statistics')
    parser.add_argument('--images', required=True, help='folder of the photos')
    parser.add_argument('--num-images', type=int, help='number of photos, the first ones of the folder (default: all)')
    parser.add_argument('--draws', type=int, default=14, help='random draws of the views per photo (default: 14)')
    parser.add_argument(
        '--where',
        choices=['worker', 'device'],
        default='device',
        help='where the photometric augmentation runs (default: device)',
    )
    args = parser.parse_args()
    if args.draws < 2 or (args.num_images is not None and args.num_images < 1):
        raise UserError('--draws must be at least 2, and --num-images at least 1')
    return args


def main() -> int:
    args = parse_args()
    from mmssl_geo.apis.config import load_config
    from mmssl_geo.parity.view_statistics import check_views
    from mmssl_geo.registry import DATASETS
    from mmssl_geo.utils.paths import resource_root
    from mmssl_geo.utils.progress import ProgressBar

    cfg = load_config(resource_root() / CONFIG, use_environment=False).train_dataloader.dataset
    cfg.update(data_root=args.images, data_prefix='', ann_file=None, seed=0)
    cfg.pipeline.photometric.where = args.where
    dataset = DATASETS.build(cfg)
    num_images = min(args.num_images or len(dataset), len(dataset))
    with ProgressBar(num_images, 'images') as progress:
        statistics = check_views(dataset, args.statistics, args.draws, num_images, progress.update)
    for statistic in statistics:
        print(statistic)
    num_differing = sum(not statistic.holds for statistic in statistics)
    total = len(statistics)
    print(f'{num_differing} of {total} statistics differ' if num_differing else f'all {total} statistics hold')
    return 1 if num_differing else 0


if __name__ == '__main__':
    run_tool(main)
