"""Finds region proposals for every image of a folder, once, and writes them into one file for `LoadRegions`.

    python tools/make_proposals.py data/coco/train2017 data/coco/proposals_train2017.safetensors

A stopped or killed run resumes when the same command is run again. Methods:

selective-search  Selective Search (cv2.ximgproc), in a separate environment that this tool creates (--ss-env)
grid              a random box in every cell of a 3 x 3 grid (the transform GridRegions samples them in training)
annotations       the boxes of a COCO json (--annotations), for upper bounds
"""

import argparse
import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmssl_geo.datasets.image_names import EXTENSIONS, read_ann_file, scan_folder
from mmssl_geo.datatools.proposals import (
    AnnotationMethod,
    GridMethod,
    RegionFilter,
    SelectiveSearchMethod,
    make_proposals,
)
from mmssl_geo.datatools.proposals.environment import default_folder, search_python
from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import check_writable

# Limits of SoCo, which D3SSL builds on. SoCo's code keeps all regions; max_number bounds the size of the file.
LIMITS = {
    'selective-search': RegionFilter(
        max_aspect=3.0, min_size=0.3, max_size=0.8, min_side=32.0, max_number=100, relax=True
    ),
    'grid': RegionFilter(),
    'annotations': RegionFilter(),
}
METHOD_OF_OPTION = dict(
    mode='selective-search',
    search_side='selective-search',
    ss_env='selective-search',
    annotations='annotations',
    crowd='annotations',
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('images', metavar='IMAGES', help='image folder (data_root with data_prefix)')
    parser.add_argument('out', metavar='OUT', help='file to write, ending in .safetensors')
    parser.add_argument('--method', choices=list(LIMITS), default='selective-search')
    parser.add_argument('--ann-file', help='.txt or COCO .json that lists the images (default: the whole folder)')
    parser.add_argument('--workers', type=int, default=os.cpu_count(), help='images at a time (default: all cores)')
    parser.add_argument('--seed', type=int, default=0, help='seed of random boxes and of --max-number')
    parser.add_argument('--restart', action='store_true', help='discard unfinished work and an earlier OUT')
    parser.add_argument(
        '--chunk',
        type=int,
        default=256,
        help='images stored together; a killed run loses at most one chunk (default 256)',
    )
    parser.add_argument(
        '--max-problems',
        type=float,
        default=0.01,
        help='share of images with a problem above which the exit status is 1 (default 0.01)',
    )
    limits = parser.add_argument_group(
        'limits on the regions (0: no limit; selective-search defaults to the limits '
        'of SoCo, the other methods to none)'
    )
    limits.add_argument('--max-aspect', type=float, help='maximum of longer side / shorter side (3)')
    limits.add_argument('--min-size', type=float, help='minimum square root of region area / image area (0.3)')
    limits.add_argument('--max-size', type=float, help='maximum square root of region area / image area (0.8)')
    limits.add_argument('--min-side', type=float, help='minimum shorter side in pixels of the source image (32)')
    limits.add_argument('--max-iou', type=float, help='remove the smaller of two regions above this IoU (0)')
    limits.add_argument('--max-number', type=int, help='maximum number of regions per image, sampled at random (100)')
    limits.add_argument(
        '--relax',
        action=argparse.BooleanOptionalAction,
        help='if no region is left, drop the size limits, then the aspect limit (on)',
    )
    search = parser.add_argument_group('--method selective-search')
    search.add_argument('--mode', choices=['fast', 'quality'], help='strategies of the search (default fast)')
    search.add_argument(
        '--search-side', type=int, help='longer side to shrink images to; 0 keeps the size (default 500)'
    )
    search.add_argument(
        '--ss-env', help=f'environment to use or create (default {default_folder().name} in the checkout)'
    )
    annotations = parser.add_argument_group('--method annotations')
    annotations.add_argument('--annotations', help='COCO json with the boxes')
    annotations.add_argument('--crowd', action='store_true', default=None, help='use boxes of groups (iscrowd) too')
    return parser.parse_args()


def check_options(args: argparse.Namespace) -> None:
    """Refuses invalid options before anything else runs."""
    for name, method in METHOD_OF_OPTION.items():
        if getattr(args, name) is not None and args.method != method:
            raise UserError(f'--{name.replace("_", "-")} belongs to --method {method}, not to {args.method}')
    if args.method == 'annotations' and not args.annotations:
        raise UserError('--method annotations needs --annotations COCO.json')
    if not args.out.endswith('.safetensors'):
        raise UserError(f'OUT {args.out} has to end in .safetensors')
    if not os.path.isdir(os.path.dirname(os.path.abspath(args.out))):
        raise UserError(f'the folder of OUT {args.out} does not exist: create it')
    check_writable(args.out)
    if args.workers < 1 or args.chunk < 1 or (args.search_side or 0) < 0:
        raise UserError(
            f'--workers and --chunk must be 1 or more, and --search-side 0 or more, '
            f'got {args.workers}, {args.chunk} and {args.search_side}'
        )
    if not 0 <= args.max_problems <= 1:
        raise UserError(f'--max-problems is a share of the images, 0 to 1, got {args.max_problems}')


def region_filter(args: argparse.Namespace) -> RegionFilter:
    """Returns the limits of the method, overridden by the options."""
    given = {name: getattr(args, name) for name in asdict(RegionFilter()) if getattr(args, name) is not None}
    try:
        return RegionFilter(**{**asdict(LIMITS[args.method]), **given})
    except ValueError as error:
        raise UserError(str(error)) from error


def image_names(args: argparse.Namespace) -> list[bytes]:
    """Returns the sorted image names without duplicates."""
    if not os.path.isdir(args.images):
        raise UserError(f'the image folder {args.images} does not exist: correct IMAGES')
    names = read_ann_file(args.ann_file) if args.ann_file else scan_folder(args.images, EXTENSIONS)
    if len(names) == 0:
        raise UserError(f'there is no image in {args.images} nor below it ({", ".join(EXTENSIONS)}): correct IMAGES')
    return sorted({os.fsencode(name) for name in names})


def _sha256(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@contextlib.contextmanager
def open_method(
    args: argparse.Namespace, limits: RegionFilter, names: list[bytes]
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yields the method, and the settings that its result depends on besides the limits."""
    if args.method == 'grid':
        yield GridMethod(args.images, limits), {}
    elif args.method == 'annotations':
        method = AnnotationMethod(args.images, args.annotations, limits, bool(args.crowd))
        known = sum(os.fsdecode(name) in method.entries for name in names)
        log(f'{args.annotations} has {known} of the {len(names)} images, and {len(method.entries) - known} others')
        if known == 0:
            raise UserError(
                f'{args.annotations} has none of the images: its names look like '
                f'{next(iter(method.entries), "nothing")}, those in the folder like {os.fsdecode(names[0])}'
            )
        yield (
            method,
            dict(
                annotations=os.path.basename(args.annotations), sha256=_sha256(args.annotations), crowd=bool(args.crowd)
            ),
        )
    else:
        mode, side = args.mode or 'fast', 500 if args.search_side is None else args.search_side
        python, versions = search_python(args.ss_env or default_folder(), log)
        with SelectiveSearchMethod(python, args.images, limits, mode, side, args.workers) as search:
            yield search, dict(mode=mode, search_side=side, versions=versions)


def log(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    args = parse_args()
    check_options(args)
    limits = region_filter(args)
    names = image_names(args)
    log(f'{len(names)} images in {args.images}')
    with open_method(args, limits, names) as (method, options):
        options = dict(method=args.method, limits=asdict(limits), **options)
        facts = make_proposals(args.out, names, method, options, args.workers, args.restart, args.chunk, log)
    return report(args, facts)


def report(args: argparse.Namespace, facts: dict[str, Any]) -> int:
    """Prints the contents of the file; returns the exit status."""
    images, problems = facts['num_images'], facts['num_problems']
    log(
        f'{args.out}: {facts["num_regions"]} regions of {images} images, '
        f'{os.path.getsize(args.out) / 1e6:.1f} MB; {facts["num_without"]} images have none, '
        f'{facts["num_relaxed"]} only with relaxed limits; {facts["num_outside"]} regions extended beyond their image'
    )
    if problems:
        log(
            f'{problems} images ({problems / images:.1%}) had a problem and have no regions, see '
            f'{args.out}.problems.txt; after fixing them, run with --restart'
        )
    if facts['num_regions'] == 0:
        raise UserError(f'{args.out} has no regions: widen the limits and --restart')
    if problems > args.max_problems * images:
        raise UserError(
            f'{problems / images:.1%} of the images had a problem, more than --max-problems '
            f'{args.max_problems:g}; the file is written, but has no regions for them'
        )
    return 0


if __name__ == '__main__':
    run_tool(main)
