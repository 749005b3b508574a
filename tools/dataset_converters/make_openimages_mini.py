"""Chooses a subset of Open Images (V6 or V7) for pretraining and evaluation on scenes.

The split of D3SSL's OpenImage-MINI is not published. This subset is our own: the classes with the most instances, and
images with a bounded number of them, sampled by seed. Run it in two steps with the same options:

    python tools/dataset_converters/make_openimages_mini.py CSV_FOLDER OUT
    (download the images of OUT/train_ids.txt and OUT/val_ids.txt, with the downloader of the site)
    python tools/dataset_converters/make_openimages_mini.py CSV_FOLDER OUT --images IMAGE_FOLDER

The second step checks the images and writes OUT/{train,val}.txt and OUT/instances_{train,val}.json.
"""

import argparse

from mmssl_geo.datatools.openimages import SubsetOptions, make_subset
from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError


def parse_args() -> argparse.Namespace:
    default = SubsetOptions()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'csv_folder',
        metavar='CSV_FOLDER',
        help='class-descriptions-boxable.csv, '
        '(oidv6-)train-annotations-bbox.csv, validation-annotations-bbox.csv and, to exclude images '
        'that are not upright, {train-images-boxable,validation-images}-with-rotation.csv',
    )
    parser.add_argument('out', metavar='OUT', help='folder to write')
    parser.add_argument(
        '--images', metavar='FOLDER', help='downloaded images, named by their ImageID, searched recursively'
    )
    parser.add_argument('--num-images', type=int, default=default.num_train, help='training images (%(default)s)')
    parser.add_argument(
        '--num-val', type=int, default=default.num_val, help='validation images (%(default)s); 0 for none'
    )
    parser.add_argument(
        '--num-classes',
        type=int,
        default=default.num_classes,
        help='number of classes, those with the most training instances (%(default)s)',
    )
    parser.add_argument(
        '--min-instances',
        type=int,
        default=default.min_instances,
        help='minimum number of instances in an image (%(default)s)',
    )
    parser.add_argument(
        '--max-instances',
        type=int,
        default=default.max_instances,
        help='maximum number of instances in an image (%(default)s)',
    )
    parser.add_argument('--seed', type=int, default=default.seed, help='seed of the image sampling (%(default)s)')
    parser.add_argument(
        '--max-missing',
        type=float,
        default=0.01,
        help='share of the images that may be missing from --images or unreadable (%(default)s)',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if not 0 <= args.max_missing <= 1:
        raise UserError(f'--max-missing must be between 0 and 1, got {args.max_missing}')
    options = SubsetOptions(
        args.num_images, args.num_val, args.num_classes, args.min_instances, args.max_instances, args.seed
    )
    make_subset(args.csv_folder, args.out, options, args.images, args.max_missing)
    if args.images is None:
        print(f'download the images named in {args.out}/*_ids.txt, then run the same command with --images FOLDER')


if __name__ == '__main__':
    run_tool(main)
