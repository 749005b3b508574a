"""What the tools that measure frozen features share: options, nets, and what they write."""
import dataclasses
import json
import time
from pathlib import Path

import torch

from mmssl_geo.checkpoints import load_encoder
from mmssl_geo.evaluation.geometry.measures import format_measured, markdown_table
from mmssl_geo.utils.errors import UserError

from .random_weights import randomly_initialised

RANDOM = 'random weights'


def load_nets(args):
    """Names and encoders of all rows, random weights last.

    Raises:
        UserError: a checkpoint cannot be loaded, or the views do not hold a whole number of its cells.
    """
    stems = [Path(path).stem for path in args.checkpoints]
    # epoch_100.pth of two runs: their folders tell them apart
    names = args.names or [stem if stems.count(stem) == 1 else f'{Path(path).absolute().parent.name}/{stem}'
                           for stem, path in zip(stems, args.checkpoints, strict=True)]
    encoders = [load_encoder(path, args.weights, args.num_heads, args.allow_unsafe) for path in args.checkpoints]
    if args.random:
        names = [*names, RANDOM]
        net = randomly_initialised(encoders[0].net, args.seed)
        encoders.append(dataclasses.replace(encoders[0], net=net, description=f'{RANDOM}, the net of {names[0]}'))
    for name, encoder in zip(names, encoders, strict=True):
        print(f'{name}: {encoder.description}')
        if args.size % encoder.stride:
            raise UserError(f'--size {args.size} is not a whole number of the {encoder.stride} px cells of {name}')
    return list(zip(names, encoders, strict=True))


def device_of(args):
    """`torch.device` of `--device`."""
    use_gpu = args.device == 'cuda' or args.device == 'auto' and torch.cuda.is_available()
    return torch.device('cuda' if use_gpu else 'cpu')


def check_shared(args, least, endings=('.png', '.md', '.json')):
    """Finds what cannot work before anything is measured.

    Args:
        args: options.
        least: pairs of an option's name and its least value.
        endings: of the files to be written; `--out` names the first, the others lie beside it.

    Raises:
        UserError: says which option is wrong.
    """
    if not args.out.lower().endswith(endings[0]):
        raise UserError(f'--out {args.out}: has to end in {endings[0]}')
    for path in args.checkpoints:
        if not Path(path).is_file():
            raise UserError(f'there is no checkpoint {path}')
    if len(set(args.names or ())) < len(args.names or ()):
        raise UserError('--names: two nets have the same name; give each its own')
    if args.names and len(args.names) != len(args.checkpoints):
        raise UserError(f'--names: {len(args.names)} given for {len(args.checkpoints)} checkpoints; give one for each')
    for name, value in least:
        if getattr(args, name.replace('-', '_')) < value:
            raise UserError(f'--{name} has to be at least {value}')
    if args.device == 'cuda' and not torch.cuda.is_available():
        raise UserError('--device cuda: torch sees no GPU; leave the option out to run on the CPU')
    _make_place(Path(args.out), endings)


def _make_place(out, endings):
    """Makes sure that the files can be written."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for path in map(out.with_suffix, endings):
            is_new = not path.exists()
            path.open('ab').close()
            if is_new:
                path.unlink()
    except OSError as error:
        raise UserError(f'--out {out}: cannot write there ({error.strerror}); name another place') from error


def printer(measures):
    """Function `(key, measured)` that prints a measure with the seconds it took, or why there is none."""
    started = time.perf_counter()

    def say(key, measured):
        nonlocal started
        now = time.perf_counter()
        text = f'n/a: {measured}' if isinstance(measured, UserError) else format_measured(measures[key], measured)
        print(f'  {measures[key].title:<40} {text:<24} {now - started:6.1f} s', flush=True)
        started = now

    return say


def write_results(args, rows, measures, figure, nets, facts):
    """Picture, table and numbers; the last two beside the picture, by its name. Prints the table.

    Args:
        args: options, with `out`.
        rows: `(name, {measure: Measured})`.
        measures: name -> Measure.
        figure: the picture.
        nets: `(name, Encoder)`, as the rows.
        facts: dict, goes to the settings in the json.
    """
    out = Path(args.out)
    figure.savefig(out)
    table = markdown_table(rows, measures)
    out.with_suffix('.md').write_text(table, encoding='utf-8')
    entries = [dict(name=name, source=encoder.description,
                    measures={key: value._asdict() for key, value in results.items()})
               for (name, results), (_, encoder) in zip(rows, nets, strict=True)]
    settings = {key: value for key, value in vars(args).items() if key not in ('checkpoints', 'names', 'out')}
    out.with_suffix('.json').write_text(
        json.dumps(dict(settings=dict(settings, **facts), nets=entries), indent=1), encoding='utf-8')
    print(f'\n{table}\nIn brackets: chance. Written: {out}, {out.with_suffix(".md")}, {out.with_suffix(".json")}')
