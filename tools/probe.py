"""Asks frozen features of checkpoints: k-NN and linear classification, objects, and linear segmentation.

    python tools/probe.py a.pth b.pth --random --probe knn --train data/train --val data/val --out knn.json
    python tools/probe.py a.pth --probe linear --train train.txt --val val.txt
    python tools/probe.py a.pth --probe object-knn --train images/ train.json --val images/ val.json
    python tools/probe.py a.pth --probe segmentation --train images/ labels/ --val images/ labels/ --classes 11

Prints a table and writes a flat json of all numbers, in per cent: of one net as OUT.json, of several as OUT_NAME.json.
`docs/measures.md` defines the probes.
"""
import argparse
import json
from pathlib import Path

from mmssl_geo.utils.cli import run_tool
from mmssl_geo.utils.errors import UserError

# option -> the argument of the probes that it is for, and those probes
OPTIONS = {
    'pool': ('pool', ('knn', 'linear')),
    'k': ('ks', ('knn', 'object-knn')),
    'min_side': ('min_side', ('object-knn', )),
    'classes': ('num_classes', ('segmentation', )),
    'cells': ('num_cells', ('segmentation', )),
    'reduce_zero_label': ('reduce_zero_label', ('segmentation', )),
    'image_suffix': ('image_suffix', ('segmentation', )),
    'label_suffix': ('label_suffix', ('segmentation', )),
}


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('checkpoints', nargs='+', metavar='CKPT', help='checkpoints of any layout the converter knows')
    add('--probe', required=True, choices=['knn', 'linear', 'object-knn', 'segmentation'])
    for name, use in (('--train', 'labelled images to learn from'), ('--val', 'images to ask about')):
        add(name, required=True, nargs='+', metavar='PATH', help=f'{use}: a folder of class folders or a .txt list of '
            '"path class" (knn, linear), IMAGES ANNOTATIONS.json (object-knn), IMAGES LABELS (segmentation)')
    add('--random', action='store_true', help="also ask random weights in the first checkpoint's architecture, others "
        'for each seed')
    add('--names', nargs='+', help="one a checkpoint (default: the file's)")
    add('--weights', choices=['teacher', 'student'], default='teacher',
        help='which encoder of checkpoints that hold both (default: %(default)s)')
    add('--num-heads', type=int, help='heads of the nets, where neither file nor width tells')
    add('--size', type=int, default=224, help='side of the views in pixels (default: %(default)s)')
    add('--num-train', type=int, help='labelled images for each seed, drawn at random (default: all)')
    add('--seeds', type=int, default=1, help='how often to draw, split and initialise (default: %(default)s)')
    add('--seed', type=int, default=0, help='the first of them (default: %(default)s)')
    add('--pool', choices=['mean', 'cls'], help='vector of an image: mean of the map (default), or [CLS]')
    add('--k', type=int, nargs='+', help='neighbours (default: 10 20)')
    add('--min-side', type=float, help='of objects, in pixels of the view (default: 32)')
    add('--classes', type=int, help='number of classes of the label maps, 255 is ignored')
    add('--cells', type=int, help='cells of maps to learn the segmentation from (default: 20000)')
    add('--reduce-zero-label', action='store_true', default=None, help='label 0 is ignored, 1 is the first (ADE20K)')
    add('--image-suffix', help='ending of images that have label maps (default: that of any image)')
    add('--label-suffix', help='what label maps have in its place (default: .png)')
    add('--batch-size', type=int, default=32, help='views at a time (default: %(default)s)')
    add('--workers', type=int, default=0, help='processes that read images (default: none but this one)')
    add('--device', choices=['auto', 'cpu', 'cuda'], default='auto', help='auto, the default: a GPU if there is one')
    add('--allow-unsafe', action='store_true', help='read checkpoints that run code; only your own')
    add('--out', default='work_dirs/probe.json', help='.json to write (default: %(default)s)')
    return parser.parse_args()


def build_probe(args):
    """The probe, its data listed and checked.

    Raises:
        UserError: says which option is wrong, or what is wrong with the data.
    """
    from mmssl_geo.evaluation.analysis import check_shared
    from mmssl_geo.evaluation.probes.probes import PROBES
    check_shared(args, (('size', 1), ('seeds', 1), ('seed', 0), ('batch-size', 1), ('workers', 0)), ('.json', ))
    given = {name: getattr(args, name) for name in OPTIONS if getattr(args, name) is not None}
    for name, value in given.items():
        option = '--' + name.replace('_', '-')
        if args.probe not in OPTIONS[name][1]:
            raise UserError(f'{option} is for --probe {" and ".join(OPTIONS[name][1])}, not for {args.probe}')
        if isinstance(value, (int, float, list)) and min(value if isinstance(value, list) else [value]) < 1:
            raise UserError(f'{option} has to be at least 1')
    if args.probe == 'segmentation' and args.classes is None:
        raise UserError('--probe segmentation needs --classes, their number')
    if args.num_train is not None and args.num_train < 2:
        raise UserError('--num-train has to be at least 2')
    for option, paths in (('--train', args.train), ('--val', args.val)):
        wanted = 1 if args.probe in ('knn', 'linear') else 2
        if len(paths) != wanted:
            raise UserError(f'{option}: --probe {args.probe} takes {wanted} paths, got {len(paths)} (see --help)')
    sources = (args.train[0], args.val[0]) if len(args.train) == 1 else (args.train, args.val)
    return PROBES[args.probe](
        *sources, size=args.size, num_train=args.num_train, batch_size=args.batch_size, num_workers=args.workers,
        **{OPTIONS[name][0]: value for name, value in given.items()})


def ask(probe, name, encoder, args):
    """Name -> Measured, of one net."""
    from mmssl_geo.evaluation.analysis import RANDOM, device_of
    from mmssl_geo.evaluation.probes.base import ask_backbone
    from mmssl_geo.utils.progress import Progress
    seeds = range(args.seed, args.seed + args.seeds)
    is_random = name == RANDOM
    calls = [[seed] for seed in seeds] if is_random else [seeds]
    progress = Progress(sum(map(probe.num_views, calls)), f'images through {name}')
    measured = ask_backbone(probe, encoder.net, seeds, device_of(args), progress.add, is_random)
    progress.finish()
    return measured


def write(rows, out, several_seeds):
    """Flat json of each net, deviations only over several seeds; returns the paths."""
    paths = []
    for name, results in rows:
        part = '' if len(rows) == 1 else '_' + ''.join(c if c.isalnum() or c in '-.' else '_' for c in name)
        paths.append(out.with_name(f'{out.stem}{part}.json'))
        values = {}
        for key, (mean, std, chance) in results.items():
            values |= {key: 100 * mean, f'{key}_chance': 100 * chance}
            values |= {f'{key}_std': 100 * std} if several_seeds else {}
        paths[-1].write_text(json.dumps(values, indent=1) + '\n', encoding='utf-8')
    return paths


def main():
    args = parse_args()
    probe = build_probe(args)
    from mmssl_geo.evaluation.analysis import load_nets
    from mmssl_geo.evaluation.geometry.measures import Measure, markdown_table
    nets = load_nets(args)
    print(f'{args.probe}: {probe.num_train} of {probe.counts[0]} images to learn from, {probe.counts[1]} to ask about',
          flush=True)
    rows = [(name, ask(probe, name, encoder, args)) for name, encoder in nets]
    table = markdown_table(rows, {key: Measure(f'{key}, %', 100) for key in rows[0][1]})
    paths = write(rows, Path(args.out), args.seeds > 1)
    print(f'\n{table}\nMean ± deviation over {args.seeds} seeds; in brackets: chance. Written: '
          + ', '.join(map(str, paths)))


if __name__ == '__main__':
    run_tool(main)
