"""Measures the geometric sensitivity of frozen features: rotation, position, equivariance, patch correspondence.

    python tools/analyze_geometry.py gtsa.pth dino.pth --images photos/ --random --out work_dirs/geometry.png

Writes a figure, a table (.md) and all numbers (.json). `docs/measures.md` defines the measures.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mmssl_geo.evaluation.tool_options import add_analysis_options
from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError

if TYPE_CHECKING:
    from mmssl_geo.checkpoints.encoder import Encoder
    from mmssl_geo.evaluation.geometry import GeometryViews
    from mmssl_geo.evaluation.results import Results


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_analysis_options(parser, out='work_dirs/geometry.png')
    parser.add_argument(
        '--tolerance',
        type=float,
        default=1.0,
        help='largest distance in cells between a match and the true position (default: %(default)s)',
    )
    return parser.parse_args()


def check_args(args: argparse.Namespace) -> None:
    """Checks the options before any data is read.

    Raises:
        UserError: If an option is wrong.
    """
    from mmssl_geo.evaluation.images import MIN_IMAGES
    from mmssl_geo.evaluation.tool_support import MINIMUMS, check_options

    check_options(args, {'num_images': MIN_IMAGES, **MINIMUMS}, ('.png', '.md', '.json'))
    if not args.tolerance >= 0:
        raise UserError(f'--tolerance {args.tolerance}: must be at least 0')


def measure(name: str, encoder: Encoder, views: GeometryViews, args: argparse.Namespace) -> Results:
    """Computes and prints the results of one net."""
    import torch

    from mmssl_geo.evaluation.geometry import GEOMETRY_MEASURES, extract_features, measure_geometry
    from mmssl_geo.evaluation.geometry.views import VIEWS_PER_IMAGE
    from mmssl_geo.evaluation.tool_support import ResultPrinter, select_device
    from mmssl_geo.utils.progress import ProgressBar

    device = select_device(args.device)
    net = encoder.net.to(device)
    print(f'{name}:', flush=True)
    with torch.inference_mode(), ProgressBar(VIEWS_PER_IMAGE * len(views.squares), 'views') as progress:
        features = extract_features(lambda images: net(images.to(device))[-1], views, args.batch_size, progress.update)
    net.cpu()
    seeds = range(args.seed, args.seed + args.seeds)
    return measure_geometry(features, views, seeds, args.tolerance, ResultPrinter(GEOMETRY_MEASURES))


def main() -> None:
    args = parse_args()
    check_args(args)
    from mmssl_geo.evaluation.geometry import GEOMETRY_MEASURES, make_views
    from mmssl_geo.evaluation.images import list_images, read_some
    from mmssl_geo.evaluation.tool_support import load_nets, write_results
    from mmssl_geo.visualization.measure_figures import geometry_figure

    paths = list_images(args.images)
    nets = load_nets(args)
    images, unreadable = read_some(paths, args.num_images, args.seed)
    print(
        f'{len(images)} of {len(paths)} images'
        + (f'; skipped {len(unreadable)} unreadable images, the first is {unreadable[0]}' if unreadable else '')
    )
    views = make_views(images, args.size, args.seed)
    rows = [(name, measure(name, encoder, views, args)) for name, encoder in nets]
    title = (
        f'Geometric sensitivity of frozen features: {len(images)} images, views of {args.size} px, {args.seeds} splits'
    )
    write_results(args, rows, GEOMETRY_MEASURES, geometry_figure(rows, title), nets, {'num_images': len(images)})


if __name__ == '__main__':
    run_tool(main)
