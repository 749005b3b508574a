"""Evaluates probes of frozen features: k-NN and linear classification, object k-NN, and linear segmentation.

    python tools/probe.py a.pth b.pth --random --probe knn --train data/train --val data/val --out knn.json
    python tools/probe.py a.pth --probe linear --train train.txt --val val.txt
    python tools/probe.py a.pth --probe object-knn --train images/ train.json --val images/ val.json
    python tools/probe.py a.pth --probe segmentation --train images/ labels/ --val images/ labels/ --classes 11

Prints a table and writes all numbers, in per cent, to a flat JSON file: OUT.json for one net, OUT_NAME.json for each
of several. `docs/measures.md` defines the probes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmssl_geo.evaluation.tool_options import add_encoder_options, add_run_options
from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError

if TYPE_CHECKING:
    from mmssl_geo.checkpoints.encoder import Encoder
    from mmssl_geo.evaluation.probes import Probe
    from mmssl_geo.evaluation.results import Results

# option -> argument of the probe, and the probes that have it
PROBE_OPTIONS = {
    'pool': ('pool', ('knn', 'linear')),
    'k': ('ks', ('knn', 'object-knn')),
    'min_side': ('min_side', ('object-knn',)),
    'classes': ('num_classes', ('segmentation',)),
    'cells': ('num_cells', ('segmentation',)),
    'reduce_zero_label': ('reduce_zero_label', ('segmentation',)),
    'image_suffix': ('image_suffix', ('segmentation',)),
    'label_suffix': ('label_suffix', ('segmentation',)),
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_encoder_options(parser)
    add = parser.add_argument
    add('--probe', required=True, choices=['knn', 'linear', 'object-knn', 'segmentation'], help='probe to evaluate')
    for name, use in (('--train', 'training'), ('--val', 'validation')):
        add(
            name,
            required=True,
            nargs='+',
            metavar='PATH',
            help=f'{use} images: a folder of class folders or a .txt '
            'list of "path class" (knn, linear), IMAGES ANNOTATIONS.json (object-knn), IMAGES LABELS (segmentation)',
        )
    add('--num-train', type=int, help='training images per seed, selected at random (default: all)')
    add(
        '--pool',
        choices=['mean', 'cls'],
        help='feature vector of an image: mean of the feature map, or [CLS] token (default: mean)',
    )
    add('--k', type=int, nargs='+', help='numbers of neighbours (default: 10 20)')
    add('--min-side', type=float, help='smallest side of objects in view pixels (default: 32)')
    add('--classes', type=int, help='number of classes of the label maps; the label 255 is ignored')
    add('--cells', type=int, help='number of cells the segmentation probe is trained on (default: 20000)')
    add(
        '--reduce-zero-label',
        action='store_true',
        default=None,
        help='ignore the label 0, 1 is the first class (ADE20K)',
    )
    add('--image-suffix', help='end of the names of images with label maps (default: any image extension)')
    add('--label-suffix', help='end of the names of label maps, in place of the image suffix (default: .png)')
    add_run_options(
        parser,
        'work_dirs/probe.json',
        1,
        'number of seeds; each selects training images, splits them and initialises the random net',
    )
    add('--workers', type=int, default=0, help='worker processes that read images (default: %(default)s)')
    return parser.parse_args()


def build_probe(args: argparse.Namespace) -> Probe:
    """Checks the options and builds the probe, which lists its data.

    Raises:
        UserError: If an option or the data are wrong.
    """
    from mmssl_geo.evaluation.probes import PROBES
    from mmssl_geo.evaluation.tool_support import MINIMUMS, check_options

    check_options(args, {**MINIMUMS, 'workers': 0}, ('.json',))
    given = {name: getattr(args, name) for name in PROBE_OPTIONS if getattr(args, name) is not None}
    for name, value in given.items():
        option = '--' + name.replace('_', '-')
        probes = PROBE_OPTIONS[name][1]
        if args.probe not in probes:
            raise UserError(f'{option} is an option of --probe {" and ".join(probes)}, not of {args.probe}')
        if isinstance(value, (int, float, list)) and min(value if isinstance(value, list) else [value]) < 1:
            raise UserError(f'{option} must be at least 1')
    if args.probe == 'segmentation' and args.classes is None:
        raise UserError('--probe segmentation needs --classes, the number of classes')
    if args.num_train is not None and args.num_train < 2:
        raise UserError('--num-train must be at least 2')
    num_paths = 1 if args.probe in ('knn', 'linear') else 2
    for option, paths in (('--train', args.train), ('--val', args.val)):
        if len(paths) != num_paths:
            raise UserError(f'{option}: --probe {args.probe} needs {num_paths} paths, got {len(paths)} (see --help)')
    sources = (args.train[0], args.val[0]) if num_paths == 1 else (args.train, args.val)
    return PROBES[args.probe](
        *sources,
        size=args.size,
        num_train=args.num_train,
        batch_size=args.batch_size,
        num_workers=args.workers,
        **{PROBE_OPTIONS[name][0]: value for name, value in given.items()},
    )


def evaluate(probe: Probe, name: str, encoder: Encoder, args: argparse.Namespace) -> Results:
    """Evaluates the probe of one net."""
    from mmssl_geo.evaluation.probes import evaluate_backbone
    from mmssl_geo.evaluation.tool_support import RANDOM, select_device
    from mmssl_geo.utils.progress import ProgressBar

    seeds = range(args.seed, args.seed + args.seeds)
    is_random = name == RANDOM
    num_views = sum(probe.num_views([seed]) for seed in seeds) if is_random else probe.num_views(seeds)
    print(f'{name}:', flush=True)
    with ProgressBar(num_views, 'images') as progress:
        return evaluate_backbone(
            probe, encoder.net, seeds, select_device(args.device), progress.update, random_weights=is_random
        )


def write_json(rows: Sequence[tuple[str, Results]], out: Path) -> list[Path]:
    """Writes a flat JSON file for each net.

    Args:
        rows: Name and results of each net.
        out: Path of the file of a single net.

    Returns:
        The paths of the files.
    """
    paths = []
    for name, results in rows:
        part = '' if len(rows) == 1 else '_' + ''.join(c if c.isalnum() or c in '-.' else '_' for c in name)
        paths.append(out.with_name(f'{out.stem}{part}.json'))
        values: dict[str, float] = {}
        for key, result in results.items():
            values |= {key: 100 * result.mean, f'{key}_chance': 100 * result.chance}
            if result.std is not None:
                values[f'{key}_std'] = 100 * result.std
        paths[-1].write_text(json.dumps(values, indent=1) + '\n', encoding='utf-8')
    return paths


def main() -> None:
    args = parse_args()
    probe = build_probe(args)
    from mmssl_geo.evaluation.results import Measure, markdown_table
    from mmssl_geo.evaluation.tool_support import load_nets

    nets = load_nets(args)
    print(
        f'{args.probe}: {probe.num_train} of {probe.num_available} training images, {probe.num_val} validation images',
        flush=True,
    )
    rows = [(name, evaluate(probe, name, encoder, args)) for name, encoder in nets]
    table = markdown_table(rows, {key: Measure(f'{key}, %', 100) for key in rows[0][1]})
    paths = write_json(rows, Path(args.out))
    statistic = f'Mean ± sample standard deviation over {args.seeds} seeds' if args.seeds > 1 else 'One seed'
    print(f'\n{table}\n{statistic}, chance level in brackets. Wrote {", ".join(map(str, paths))}')


if __name__ == '__main__':
    run_tool(main)
