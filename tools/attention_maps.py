"""Draws the attention of a vision transformer: of [CLS], and of the patches at given points of the image.

    python tools/attention_maps.py work_dirs/gtsa/epoch_100.pth photo.jpg --point 120 80 --out attention.png

One row for [CLS] and one for each point: the image, the mean of the heads, and every head. The checkpoint is one of
pretraining or an exported one, of any layout that tools/convert_checkpoint.py reads.
"""

import argparse
import re

from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import check_writable


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('checkpoint', help='checkpoint of a ViT')
    add('image', help='image file')
    add(
        '--point',
        type=float,
        nargs=2,
        action='append',
        default=[],
        metavar=('X', 'Y'),
        help='point in pixels of the upright image; may be given several times',
    )
    add('--block', type=int, default=-1, help='index of the block; negative ones count from the last (default: -1)')
    add('--size', help='resize the image to SIDE or HEIGHTxWIDTH pixels (default: its own size)')
    add('--net', help='network (vits16, ...) or config, for checkpoints that do not tell the number of heads')
    add('--weights', choices=['teacher', 'student'], default='teacher', help='default: %(default)s')
    add('--out', default='work_dirs/attention.png', help='.png file to write (default: %(default)s)')
    add('--allow-unsafe', action='store_true', help='read a checkpoint that runs code: only a file you trust')
    return parser.parse_args()


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Returns height and width; None for the image's own."""
    if text is None:
        return None
    sides = re.fullmatch(r'(\d+)(?:x(\d+))?', text)
    if not sides or 0 in map(int, filter(None, sides.groups())):
        raise UserError(f'--size {text}: give a side in pixels, or HEIGHTxWIDTH such as 360x480')
    return int(sides[1]), int(sides[2] or sides[1])


def main() -> None:
    args = parse_args()
    if not args.out.lower().endswith('.png'):
        raise UserError(f'--out {args.out}: must end in .png')
    check_writable(args.out)
    size = parse_size(args.size)
    import numpy as np
    from PIL import Image

    from mmssl_geo.apis.attention_maps import attention_maps, normalised, patch_size
    from mmssl_geo.apis.get_model import get_model
    from mmssl_geo.datasets.image_reading import UnreadableImage, read_rgb
    from mmssl_geo.visualization.attention_figure import attention_figure, write_attention_figure

    try:
        image = read_rgb(args.image)
    except (UnreadableImage, OSError) as error:
        raise UserError(f'image {args.image} cannot be read: {error}') from error
    net = get_model(
        args.net or args.checkpoint,
        args.checkpoint if args.net else None,
        weights=args.weights,
        allow_code=args.allow_unsafe,
    )
    points = [(x, y) for x, y in args.point]
    if size is not None:
        scales = size[1] / image.shape[1], size[0] / image.shape[0]
        points = [(x * scales[0], y * scales[1]) for x, y in points]
        image = np.array(Image.fromarray(image).resize(size[::-1], Image.Resampling.BICUBIC))
    maps = attention_maps(net, normalised(image), points, args.block)[0].numpy()
    has_cls = len(maps) > len(points)
    names = ['[CLS]'] * has_cls + [f'patch at {x:g}, {y:g}' for x, y in args.point]
    drawn: list[tuple[float, float] | None] = [None] * has_cls
    drawn += points
    figure = attention_figure(image, maps, patch_size(net), names, drawn)
    write_attention_figure(args.out, figure)
    print(f'written: {args.out}')


if __name__ == '__main__':
    run_tool(main)
