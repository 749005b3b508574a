"""Measures how much frozen region features depend on the surroundings and the position, and object k-NN.

    python tools/analyze_regions.py d3ssl.pth dino.pth --images photos/ --annotations instances.json --random

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
    from mmssl_geo.evaluation.regions import RegionImages
    from mmssl_geo.evaluation.results import Results


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_analysis_options(parser, out='work_dirs/regions.png')
    add = parser.add_argument
    add('--annotations', help='COCO JSON file: objects for object k-NN, and regions without --proposals')
    add('--proposals', help='regions, a file of tools/make_proposals.py (default: objects, else a random grid)')
    add('--regions', type=int, default=3, help='largest number of regions per image (default: %(default)s)')
    add(
        '--min-side',
        type=float,
        default=32.0,
        help='smallest side of regions and objects in view pixels (default: %(default)s)',
    )
    add('--k', type=int, default=20, help='neighbours of object k-NN (default: %(default)s)')
    return parser.parse_args()


def check_args(args: argparse.Namespace) -> None:
    """Checks the options before any data is read.

    Raises:
        UserError: If an option is wrong.
    """
    from mmssl_geo.evaluation.images import MIN_IMAGES
    from mmssl_geo.evaluation.tool_support import MINIMUMS, check_options

    check_options(args, {'num_images': MIN_IMAGES, **MINIMUMS, 'regions': 1, 'k': 1}, ('.png', '.md', '.json'))
    if not 1 <= args.min_side <= args.size / 2:
        raise UserError(f'--min-side {args.min_side:g}: must be from 1 to half of --size {args.size}')


def measure(name: str, encoder: Encoder, images: RegionImages, args: argparse.Namespace) -> Results:
    """Computes and prints the results of one net."""
    import torch

    from mmssl_geo.evaluation.regions import REGION_MEASURES, extract_region_features, measure_regions, sample_pastes
    from mmssl_geo.evaluation.regions.pastes import num_region_views
    from mmssl_geo.evaluation.tool_support import ResultPrinter, select_device
    from mmssl_geo.utils.progress import ProgressBar

    device = select_device(args.device)
    net = encoder.net.to(device)
    pastes = sample_pastes(images, encoder.stride, args.seed)
    print(f'{name}:', flush=True)
    with torch.inference_mode(), ProgressBar(num_region_views(images), 'views') as progress:
        features = extract_region_features(
            lambda views: net(views.to(device))[-1], images, pastes, encoder.stride, args.batch_size, progress.update
        )
    net.cpu()
    seeds = range(args.seed, args.seed + args.seeds)
    return measure_regions(
        features, images, pastes, args.size // encoder.stride, seeds, args.k, ResultPrinter(REGION_MEASURES)
    )


def count_objects(images: RegionImages, args: argparse.Namespace) -> dict[str, float]:
    """Counts the objects of object k-NN, averaged over the splits; empty if there are none to classify."""
    from mmssl_geo.evaluation.knn import split_objects
    from mmssl_geo.evaluation.results import split_images

    if not len(images.labels):
        print('object k-NN: n/a, no annotated object')
        return {}
    counts = []
    try:
        for seed in range(args.seed, args.seed + args.seeds):
            _, queries, num_excluded = split_objects(
                images.labels, images.objects_image, *split_images(len(images.views), seed)
            )
            counts.append((len(queries), num_excluded))
    except UserError as error:  # the other measures need no objects, and the table says n/a
        print(error)
        return {}
    num_queries, num_excluded = (sum(column) / len(counts) for column in zip(*counts, strict=True))
    print(
        f'object k-NN: {len(images.labels)} objects; on average over the splits, {num_queries:.0f} are classified '
        f'and {num_excluded:.0f} are excluded because their class has fewer than 2 training objects'
    )
    return {'num_objects': len(images.labels), 'num_queries': num_queries, 'num_excluded': num_excluded}


def main() -> None:
    args = parse_args()
    check_args(args)
    from mmssl_geo.evaluation.images import list_images, relative_names
    from mmssl_geo.evaluation.regions import REGION_MEASURES, RegionSource, collect_region_images
    from mmssl_geo.evaluation.tool_support import load_nets, write_results
    from mmssl_geo.visualization.measure_figures import region_measures_figure

    paths = list_images(args.images)
    names = relative_names(paths, args.images)
    source = RegionSource(names, args.proposals, args.annotations)
    nets = load_nets(args)
    images, counts, unreadable = collect_region_images(
        paths, names, source, args.size, args.num_images, args.regions, args.min_side, args.seed
    )
    num_regions = len(images.regions_image)
    print(
        f'{len(images.views)} of {len(paths)} images, {num_regions} regions; {counts["num_grid_fallbacks"]} images '
        f'use grid boxes, {counts["num_without_region"]} were skipped without a usable region, {len(unreadable)} '
        'cannot be read' + (f', the first is {unreadable[0]}' if unreadable else '')
    )
    settings = {**counts, 'num_regions': num_regions, **count_objects(images, args)}
    rows = [(name, measure(name, encoder, images, args)) for name, encoder in nets]
    title = (
        f'Frozen features of regions: {len(images.views)} images, {num_regions} regions, '
        f'views of {args.size} px, {args.seeds} splits'
    )
    write_results(args, rows, REGION_MEASURES, region_measures_figure(rows, title), nets, settings)


if __name__ == '__main__':
    run_tool(main)
