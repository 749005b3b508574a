"""Command-line options shared by the tools that evaluate frozen features."""

import argparse


def add_encoder_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that select the encoders: checkpoints, names, weights."""
    add = parser.add_argument
    add('checkpoints', nargs='+', metavar='CKPT', help='checkpoints in any layout the converter can read')
    add('--names', nargs='+', metavar='NAME', help='one name per checkpoint for the output (default: the file names)')
    add(
        '--random',
        action='store_true',
        help='also evaluate a randomly initialised net with the architecture of the first checkpoint',
    )
    add(
        '--weights',
        choices=['teacher', 'student'],
        default='teacher',
        help='encoder to use if a checkpoint has both (default: %(default)s)',
    )
    add(
        '--num-heads',
        type=int,
        help='attention heads of a ViT, needed if neither the file nor its width determines them',
    )
    add(
        '--allow-unsafe',
        action='store_true',
        help='load checkpoints that can run arbitrary code; only for files you trust',
    )


def add_run_options(parser: argparse.ArgumentParser, out: str, num_seeds: int, seeds_help: str) -> None:
    """Adds the options of the evaluation: size, seeds, batches, device, output.

    Args:
        parser: The parser of the tool.
        out: Default of `--out`.
        num_seeds: Default of `--seeds`.
        seeds_help: Help text of `--seeds`.
    """
    add = parser.add_argument
    add('--size', type=int, default=224, help='side of the views in pixels (default: %(default)s)')
    add('--seeds', type=int, default=num_seeds, help=f'{seeds_help} (default: %(default)s)')
    add('--seed', type=int, default=0, help='first seed (default: %(default)s)')
    add('--batch-size', type=int, default=32, help='views per batch (default: %(default)s)')
    add(
        '--device',
        choices=['auto', 'cpu', 'cuda'],
        default='auto',
        help='device to run on; auto uses a GPU if one is available (default: %(default)s)',
    )
    add('--out', default=out, help='output file (default: %(default)s)')


def add_analysis_options(parser: argparse.ArgumentParser, out: str) -> None:
    """Adds all options that `tools/analyze_geometry.py` and `tools/analyze_regions.py` share.

    Args:
        parser: The parser of the tool.
        out: Default of `--out`.
    """
    add_encoder_options(parser)
    add = parser.add_argument
    add('--images', required=True, help='folder of images, or a .txt list of paths')
    add(
        '--num-images',
        type=int,
        default=200,
        help='largest number of images, selected at random (default: %(default)s)',
    )
    add_run_options(parser, out, 3, 'number of random splits of the images')
