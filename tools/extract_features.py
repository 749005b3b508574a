"""Writes features of a folder of images: of whole images, of patches, or of regions.

    python tools/extract_features.py work_dirs/gtsa/epoch_100.pth --images photos/ features/
    python tools/extract_features.py vits16.pth --images photos/ patches/ --kind patches --size 360x480 --dtype float16
    python tools/extract_features.py r50.pth --images photos/ objects/ --kind regions --regions instances.json

Images are resized as a whole to --size. After an interruption, the same command continues with the next shard.
`docs/use.md` describes the files.
"""

import argparse
import re
from pathlib import Path

from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import check_writable


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('checkpoint', metavar='CKPT', help='checkpoint of any layout that the converter supports')
    add('--images', required=True, metavar='DIR', help='folder of images (with subfolders), or a .txt list of paths')
    add('out', metavar='OUT', help='folder to write to: new, empty, or begun with the same options')
    add('--kind', choices=['image', 'patches', 'regions'], default='image', help='(default: %(default)s)')
    add('--regions', metavar='FILE', help='boxes for --kind regions: COCO json, or a file of tools/make_proposals.py')
    add('--size', default='224', help='size of the views in pixels: SIDE or HEIGHTxWIDTH (default: %(default)s)')
    add(
        '--weights',
        choices=['teacher', 'student'],
        default='teacher',
        help='encoder of checkpoints that hold both (default: %(default)s)',
    )
    add('--num-heads', type=int, help='number of attention heads, if neither the file nor the width determines it')
    add('--dtype', choices=['float32', 'float16'], default='float32', help='(default: %(default)s)')
    add('--shard-size', type=int, help='images per file (default: 10000, patches 500, regions 1000)')
    add('--batch-size', type=int, default=32, help='images per batch (default: %(default)s)')
    add('--workers', type=int, default=4, help='worker processes that read images (default: %(default)s)')
    add('--device', choices=['auto', 'cpu', 'cuda'], default='auto', help='auto (default): a GPU if there is one')
    add('--allow-unsafe', action='store_true', help='read a checkpoint that runs code: only a file you trust')
    return parser.parse_args()


def check_args(args: argparse.Namespace) -> tuple[int, int]:
    """Checks the options before any file is read.

    Returns:
        Height and width of the views.

    Raises:
        UserError: If an option is wrong.
    """
    import torch

    if (args.kind == 'regions') != bool(args.regions):
        raise UserError('--kind regions and --regions FILE belong together: give both or neither')
    for option, value, minimum in (
        ('shard-size', args.shard_size, 1),
        ('batch-size', args.batch_size, 1),
        ('workers', args.workers, 0),
    ):
        if value is not None and value < minimum:
            raise UserError(f'--{option} must be at least {minimum}')
    sides = re.fullmatch(r'(\d+)(?:x(\d+))?', args.size)
    if not sides or 0 in map(int, filter(None, sides.groups())):
        raise UserError(f'--size {args.size}: give a side in pixels, or HEIGHTxWIDTH such as 360x480')
    if args.device == 'cuda' and not torch.cuda.is_available():
        raise UserError('--device cuda: no GPU is available to torch; omit the option to run on the CPU')
    return int(sides[1]), int(sides[2] or sides[1])


def main() -> None:
    args = parse_args()
    size = check_args(args)
    check_writable(Path(args.out) / 'index.json')
    from mmssl_geo.apis.extract_features import extract_features
    from mmssl_geo.apis.feature_shards import UNREADABLE
    from mmssl_geo.evaluation.tool_support import select_device

    count, unreadable = extract_features(
        args.checkpoint,
        args.images,
        args.out,
        kind=args.kind,
        regions=args.regions,
        size=size,
        weights=args.weights,
        num_heads=args.num_heads,
        dtype=args.dtype,
        shard_size=args.shard_size,
        batch_size=args.batch_size,
        num_workers=args.workers,
        device=select_device(args.device),
        allow_code=args.allow_unsafe,
    )
    print(f'{count} images in {args.out}')
    if unreadable:
        print(f'{len(unreadable)} cannot be read, the first is {unreadable[0]} (all: {Path(args.out) / UNREADABLE})')


if __name__ == '__main__':
    run_tool(main)
