"""Compares the views of photos with statistics that the official GTSA code has given on the same photos, one line each.

    python tools/check_views.py view_statistics.json --images DIR --num-images 96

Crops, overlaps, turns, and the pixels of the views: means of ours and of the official code's, and how many standard
errors lie between them. Exit status: 0 if no mean is more than five of them away, 1 if one is.
"""
import argparse

from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError

CONFIG = 'configs/gtsa_vits16_coco.py'


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('statistics', help='JSON file of the official statistics')
    parser.add_argument('--images', required=True, help='folder of the photos')
    parser.add_argument('--num-images', type=int, help='the first so many of them (default: all)')
    parser.add_argument('--draws', type=int, default=14, help='of each photo (default: 14)')
    parser.add_argument('--where', choices=['worker', 'device'], default='device', help='which photometrics')
    args = parser.parse_args()
    if args.draws < 2 or (args.num_images is not None and args.num_images < 1):
        raise UserError('--draws must be at least 2, and --num-images at least 1')
    return args


def main():
    args = parse_args()
    from mmssl_geo.apis.train import load_config
    from mmssl_geo.parity.view_statistics import check_views
    from mmssl_geo.registry import DATASETS
    from mmssl_geo.utils.paths import resource_root
    from mmssl_geo.utils.progress import ProgressBar
    cfg = load_config(resource_root() / CONFIG).train_dataloader.dataset
    cfg.update(data_root=args.images, data_prefix='', ann_file=None, seed=0)
    cfg.pipeline.photometrics.where = args.where
    dataset = DATASETS.build(cfg)
    total = min(args.num_images or len(dataset), len(dataset))
    progress = ProgressBar(total, 'images')
    statistics = check_views(dataset, args.statistics, args.draws, total, progress.update)
    progress.close()
    for statistic in statistics:
        print(statistic)
    differing = sum(not statistic.holds for statistic in statistics)
    print(f'{differing} of {len(statistics)} statistics differ' if differing else
          f'all {len(statistics)} statistics hold')
    return 1 if differing else 0


if __name__ == '__main__':
    run_tool(main)
