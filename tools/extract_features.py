"""Writes features of a folder of images: of whole images, of patches, or of regions.

    python tools/extract_features.py work_dirs/gtsa/epoch_100.pth --images photos/ features/
    python tools/extract_features.py vits16.pth --images photos/ patches/ --kind patches --size 360x480 --dtype float16
    python tools/extract_features.py r50.pth --images photos/ objects/ --kind regions --regions instances.json

Each image is stretched as a whole to --size. Stopped and called again with the same options, it goes on with the next
shard. `docs/use.md` says what the files hold.
"""
import argparse
import re
from pathlib import Path

from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError

SHARD_SIZES = dict(image=10_000, patches=500, regions=1_000)


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('checkpoint', metavar='CKPT', help='of any layout the converter knows')
    add('--images', required=True, metavar='DIR', help='folder of images (and all below), or a .txt list of paths')
    add('out', metavar='OUT', help='folder to write to: new, empty, or begun with the same options')
    add('--kind', choices=['image', 'patches', 'regions'], default='image', help='(default: %(default)s)')
    add('--regions', metavar='FILE', help='boxes for --kind regions: COCO json, or a file of tools/make_proposals.py')
    add('--size', default='224', help='of the views in pixels: a side, or HEIGHTxWIDTH (default: %(default)s)')
    add('--weights', choices=['teacher', 'student'], default='teacher',
        help='which encoder of checkpoints that hold both (default: %(default)s)')
    add('--num-heads', type=int, help='heads of the net, where neither file nor width tells')
    add('--dtype', choices=['float32', 'float16'], default='float32', help='of the features (default: %(default)s)')
    add('--shard-size', type=int, help='images in a file (default: 10000, patches 500, regions 1000)')
    add('--batch-size', type=int, default=32, help='images at a time (default: %(default)s)')
    add('--workers', type=int, default=4, help='processes that read images (default: %(default)s)')
    add('--device', choices=['auto', 'cpu', 'cuda'], default='auto', help='auto, the default: a GPU if there is one')
    add('--allow-unsafe', action='store_true', help='read a checkpoint that runs code; only your own')
    return parser.parse_args()


def check_args(args):
    """Finds what cannot work before anything is read.

    Returns:
        (height, width) of the views.

    Raises:
        UserError: says which option is wrong.
    """
    import torch
    if (args.kind == 'regions') != bool(args.regions):
        raise UserError('--kind regions and --regions FILE go together: give both or neither')
    for option, value, least in (('shard-size', args.shard_size, 1), ('batch-size', args.batch_size, 1),
                                 ('workers', args.workers, 0)):
        if value is not None and value < least:
            raise UserError(f'--{option} has to be at least {least}')
    sides = re.fullmatch(r'(\d+)(?:x(\d+))?', args.size)
    if not sides or 0 in map(int, filter(None, sides.groups())):
        raise UserError(f'--size {args.size}: give a side in pixels, or HEIGHTxWIDTH such as 360x480')
    if args.device == 'cuda' and not torch.cuda.is_available():
        raise UserError('--device cuda: torch sees no GPU; leave the option out to run on the CPU')
    return int(sides[1]), int(sides[2] or sides[1])


def main():
    args = parse_args()
    size = check_args(args)
    from mmssl_geo.apis.box_file import BoxFile
    from mmssl_geo.apis.extract_features import extract, fingerprint, list_names
    from mmssl_geo.apis.feature_shards import UNREADABLE, FeatureShards
    from mmssl_geo.apis.frozen_features import FrozenFeatures
    from mmssl_geo.apis.whole_images import WholeImages
    from mmssl_geo.checkpoints import load_encoder
    from mmssl_geo.evaluation.tool_support import select_device
    encoder = load_encoder(args.checkpoint, args.weights, args.num_heads, args.allow_unsafe)
    print(encoder.description)
    features = FrozenFeatures(encoder, args.kind, size, select_device(args.device), args.dtype)
    root, names = list_names(args.images)
    images = WholeImages(root, names, size, BoxFile(args.regions, names) if args.regions else None)
    shards = FeatureShards(args.out, dict(
        kind=args.kind, size=list(size), dtype=args.dtype, net=encoder.description, stride=encoder.stride,
        channels=encoder.channels, checkpoint=fingerprint(Path(args.checkpoint).read_bytes()),
        num_images=len(names), images=fingerprint(names.buffer.tobytes()),
        regions=args.regions and fingerprint(Path(args.regions).read_bytes()),
        shard_size=args.shard_size or SHARD_SIZES[args.kind]))
    extract(images, features, shards, args.batch_size, args.workers)
    count, unreadable = shards.finish()
    print(f'{count} images in {args.out}' + (
        f'; {len(unreadable)} cannot be read, the first is {unreadable[0]} (all: {Path(args.out) / UNREADABLE})'
        if unreadable else ''))
    return 0


if __name__ == '__main__':
    run_tool(main)
