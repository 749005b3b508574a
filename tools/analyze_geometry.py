"""Measures how much frozen features tell of geometry: turns, places, and what moves with the image.

    python tools/analyze_geometry.py gtsa.pth dino.pth --images photos/ --random --out work_dirs/geometry.png

Writes a picture, and beside it the table as .md and all numbers as .json. `docs/measures.md` defines the measures.
"""
import argparse
import sys

from mmssl_geo.evaluation.analysis_args import add_shared_options
from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_shared_options(parser, out='work_dirs/geometry.png')
    parser.add_argument('--tolerance', type=float, default=1.,
                        help='cells by which a match may be off (default: %(default)s)')
    return parser.parse_args()


def check_args(args):
    """Finds what cannot work before anything is read.

    Raises:
        UserError: says which option is wrong.
    """
    from mmssl_geo.evaluation.analysis import check_shared
    from mmssl_geo.evaluation.geometry.images import MIN_IMAGES
    check_shared(args, (('num-images', MIN_IMAGES), ('size', 1), ('seeds', 1), ('seed', 0), ('batch-size', 1)))
    if not args.tolerance >= 0:
        raise UserError(f'--tolerance {args.tolerance}: has to be 0 or more cells')


def measure(name, encoder, views, args):
    """Results of one net, printed as they come."""
    import torch
    from mmengine.utils import ProgressBar

    from mmssl_geo.evaluation import MEASURES, extract_features, measure_geometry
    from mmssl_geo.evaluation.analysis import device_of, printer
    device = device_of(args)
    net = encoder.net.to(device)
    print(f'{name}: features of the views')
    bar = ProgressBar(7 * len(views.squares), file=sys.stdout)
    with torch.inference_mode():
        features = extract_features(lambda images: net(images.to(device))[-1], views, args.batch_size, bar.update)
    print(f'\n{name}: measures' + (', mean ± deviation over the seeds (chance)' if args.seeds > 1 else ''))
    net.cpu()
    seeds = range(args.seed, args.seed + args.seeds)
    return measure_geometry(features, views, seeds, args.tolerance, printer(MEASURES))


def main():
    args = parse_args()
    check_args(args)
    from mmssl_geo.evaluation import MEASURES, make_views
    from mmssl_geo.evaluation.analysis import load_nets, write_results
    from mmssl_geo.evaluation.geometry.images import list_images, read_some
    from mmssl_geo.visualization.geometry_figure import geometry_figure
    paths = list_images(args.images)
    nets = load_nets(args)
    images, unreadable = read_some(paths, args.num_images, args.seed)
    print(f'{len(images)} of {len(paths)} images' + (
        f'; {len(unreadable)} cannot be read and were passed over, the first is {unreadable[0]}' if unreadable else ''))
    views = make_views(images, args.size, args.seed)
    rows = [(name, measure(name, encoder, views, args)) for name, encoder in nets]
    title = (f'Geometric sensitivity of frozen features: {len(images)} images, views of {args.size} px, '
             f'{args.seeds} splits')
    write_results(args, rows, MEASURES, geometry_figure(rows, title), nets, dict(num_images=len(images)))


if __name__ == '__main__':
    run_tool(main)
