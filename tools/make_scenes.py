"""Generates scenes of several objects with COCO instance annotations and semantic maps.

The defaults suit a small net on two CPU cores. More objects and texture are better for pretraining, for example
`--size 256 --classes 6 --objects 6 14 --radius 0.05 0.2 --clutter 0.8`.
"""

import argparse
from pathlib import Path

from mmssl_geo.datatools.scenes import CLASSES, SceneOptions, write_scenes
from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.io import check_writable


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', help='folder to write')
    parser.add_argument('--num', type=int, required=True, help='number of training scenes')
    parser.add_argument('--num-val', type=int, default=0, help='number of validation scenes (default 0)')
    parser.add_argument('--size', type=int, default=SceneOptions.size, help='side of the images in pixels')
    parser.add_argument(
        '--seed',
        type=int,
        default=SceneOptions.seed,
        help='random seed; the same seed and settings give the same bytes',
    )
    parser.add_argument(
        '--classes',
        type=int,
        default=SceneOptions.classes,
        help=f'how many of the classes {", ".join(CLASSES)} appear (default {SceneOptions.classes})',
    )
    parser.add_argument(
        '--objects',
        type=int,
        nargs=2,
        default=SceneOptions.objects,
        metavar=('MIN', 'MAX'),
        help='objects per scene before almost hidden ones are removed (default %(default)s)',
    )
    parser.add_argument(
        '--radius',
        type=float,
        nargs=2,
        default=SceneOptions.radius,
        metavar=('MIN', 'MAX'),
        help='object radius as a fraction of the image side (default %(default)s)',
    )
    parser.add_argument(
        '--clutter',
        type=float,
        default=SceneOptions.clutter,
        help='contrast of the background, 0 (uniform) to 1 (default %(default)s)',
    )
    parser.add_argument(
        '--workers', type=int, default=0, help='number of drawing processes; 0 draws in the main process (default)'
    )
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='allow a non-empty folder that this tool did not write; its images, annotations and semantic are deleted',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    check_writable(Path(args.out) / 'images')
    options = SceneOptions(
        size=args.size,
        seed=args.seed,
        classes=args.classes,
        objects=tuple(args.objects),
        radius=tuple(args.radius),
        clutter=args.clutter,
    )
    write_scenes(args.out, options, args.num, args.num_val, args.workers, args.overwrite)


if __name__ == '__main__':
    run_tool(main)
