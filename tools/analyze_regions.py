"""Measures what frozen features of regions owe to their surroundings, their place, and the object in them.

    python tools/analyze_regions.py d3ssl.pth dino.pth --images photos/ --annotations instances.json --random

Writes a picture, and beside it the table as .md and all numbers as .json. `docs/measures.md` defines the measures.
"""
import argparse
import sys

from mmssl_geo.evaluation.analysis_args import add_shared_options
from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_shared_options(parser, out='work_dirs/regions.png')
    parser.add_argument('--annotations', help='COCO json: objects of O-KNN, and regions if there are no --proposals')
    parser.add_argument('--proposals', help='file of tools/make_proposals.py: regions (default: objects, else a grid)')
    parser.add_argument('--regions', type=int, default=3, help='of an image, at most (default: %(default)s)')
    parser.add_argument('--min-side', type=float, default=32.,
                        help='of regions and objects, in pixels of the view (default: %(default)s)')
    parser.add_argument('--k', type=int, default=20, help='neighbours of O-KNN (default: %(default)s)')
    return parser.parse_args()


def check_args(args):
    """Finds what cannot work before any image is read.

    Raises:
        UserError: says which option is wrong.
    """
    from mmssl_geo.evaluation.analysis import check_shared
    from mmssl_geo.evaluation.geometry.images import MIN_IMAGES
    check_shared(args, (('num-images', MIN_IMAGES), ('size', 1), ('seeds', 1), ('seed', 0), ('batch-size', 1),
                        ('regions', 1), ('k', 1)))
    if not 1 <= args.min_side <= args.size / 2:
        raise UserError(f'--min-side {args.min_side:g}: has to be 1 pixel to half of --size {args.size}')


def measure(name, encoder, images, args):
    """Results of one net, printed as they come."""
    import torch
    from mmengine.utils import ProgressBar

    from mmssl_geo.evaluation.analysis import device_of, printer
    from mmssl_geo.evaluation.regions.measures import REGION_MEASURES, measure_regions
    from mmssl_geo.evaluation.regions.pastes import draw_pastes, extract_region_features
    device = device_of(args)
    net = encoder.net.to(device)
    pastes = draw_pastes(images, encoder.stride, args.seed)
    print(f'{name}: features of the views')
    bar = ProgressBar(len(images.views) + 2 * len(images.regions_image), file=sys.stdout)
    with torch.inference_mode():
        features = extract_region_features(
            lambda views: net(views.to(device))[-1], images, pastes, encoder.stride, args.batch_size, bar.update)
    print(f'\n{name}: measures' + (', mean ± deviation over the seeds (chance)' if args.seeds > 1 else ''))
    net.cpu()
    seeds = range(args.seed, args.seed + args.seeds)
    return measure_regions(features, images, pastes, args.size // encoder.stride, seeds, args.k,
                           printer(REGION_MEASURES))


def count_objects(images, args):
    """Objects that O-KNN asks for and leaves out, in the mean over the splits; nothing if a split has none to label."""
    from mmssl_geo.evaluation import split_images
    from mmssl_geo.evaluation.probes.object_knn import split_objects
    if not len(images.labels):
        print('O-KNN: n/a, no annotated object')
        return {}
    counts = []
    try:
        for seed in range(args.seed, args.seed + args.seeds):
            _, asked, left_out = split_objects(
                images.labels, images.objects_image, *split_images(len(images.views), seed))
            counts.append((len(asked), left_out))
    except UserError as error:  # the other measures need no objects; the table says n/a
        print(error)
        return {}
    asked, left_out = (sum(column) / len(counts) for column in zip(*counts, strict=True))
    print(f'O-KNN: {len(images.labels)} objects; {asked:.0f} are asked for, {left_out:.0f} are left out: fewer than 2 '
          'of their class vote (means over the splits)')
    return dict(num_objects=len(images.labels), num_asked=asked, num_left_out=left_out)


def main():
    args = parse_args()
    check_args(args)
    from mmssl_geo.evaluation.analysis import load_nets, write_results
    from mmssl_geo.evaluation.geometry.images import list_images
    from mmssl_geo.evaluation.regions.images import BoxSource, collect_region_images, names_of
    from mmssl_geo.evaluation.regions.measures import REGION_MEASURES
    from mmssl_geo.visualization.region_measures_figure import region_measures_figure
    paths = list_images(args.images)
    names = names_of(paths, args.images)
    source = BoxSource(names, args.proposals, args.annotations)
    nets = load_nets(args)
    images, counts, unreadable = collect_region_images(
        paths, names, source, args.size, args.num_images, args.regions, args.min_side, args.seed)
    print(f'{len(images.views)} of {len(paths)} images, {len(images.regions_image)} regions; '
          f'{counts["num_grid_fallbacks"]} images have grid boxes, {counts["num_without_region"]} were passed over '
          f'without a usable region, {len(unreadable)} cannot be read' + (
              f', the first is {unreadable[0]}' if unreadable else ''))
    facts = dict(counts, num_regions=len(images.regions_image), **count_objects(images, args))
    rows = [(name, measure(name, encoder, images, args)) for name, encoder in nets]
    title = (f'Frozen features of regions: {len(images.views)} images, {len(images.regions_image)} regions, '
             f'views of {args.size} px, {args.seeds} splits')
    write_results(args, rows, REGION_MEASURES, region_measures_figure(rows, title), nets, facts)


if __name__ == '__main__':
    run_tool(main)
