"""What the tools that evaluate frozen features share: checks of options, loading of nets, output files."""

import dataclasses
import json
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from mmssl_geo.checkpoints import load_encoder
from mmssl_geo.checkpoints.encoder import Encoder
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import check_writable

from .random_weights import randomly_initialised
from .results import Measure, MeasureResult, Results, format_result, markdown_table

RANDOM = 'random weights'
MINIMUMS = {'size': 1, 'seeds': 1, 'seed': 0, 'batch_size': 1}
"""Smallest values of the options of `tool_options.add_run_options`."""

NamedEncoder = tuple[str, Encoder]


def check_options(args: Namespace, minimums: Mapping[str, int], suffixes: Sequence[str]) -> None:
    """Checks the shared options before any data is read.

    Args:
        args: The options.
        minimums: Smallest values of options.
        suffixes: Suffixes of the output files. `--out` names the first one; the others are written beside it.

    Raises:
        UserError: If an option is wrong.
    """
    if not args.out.lower().endswith(suffixes[0]):
        raise UserError(f'--out {args.out}: must end in {suffixes[0]}')
    for path in args.checkpoints:
        if not Path(path).is_file():
            raise UserError(f'no such checkpoint: {path}')
    if len(set(args.names or ())) < len(args.names or ()):
        raise UserError('--names: two nets have the same name; names must be unique')
    if args.names and len(args.names) != len(args.checkpoints):
        raise UserError(f'--names: got {len(args.names)} names for {len(args.checkpoints)} checkpoints; give one each')
    for name, minimum in minimums.items():
        if getattr(args, name) < minimum:
            raise UserError(f'--{name.replace("_", "-")} must be at least {minimum}')
    if args.device == 'cuda' and not torch.cuda.is_available():
        raise UserError('--device cuda: no GPU is available to torch; omit the option to run on the CPU')
    for suffix in suffixes:
        check_writable(Path(args.out).with_suffix(suffix))
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)


def select_device(name: str) -> torch.device:
    """Returns the device of `--device`: 'cpu', 'cuda', or 'auto' for a GPU if one is available."""
    use_gpu = name == 'cuda' or (name == 'auto' and torch.cuda.is_available())
    return torch.device('cuda' if use_gpu else 'cpu')


def load_nets(args: Namespace) -> list[NamedEncoder]:
    """Loads the encoders of all checkpoints, followed by the randomly initialised net if `--random` is given.

    Raises:
        UserError: If a checkpoint cannot be loaded, or `--size` is not a multiple of the stride of an encoder.
    """
    names = list(args.names or _default_names(args.checkpoints))
    encoders = [load_encoder(path, args.weights, args.num_heads, args.allow_unsafe) for path in args.checkpoints]
    if args.random:
        net = randomly_initialised(encoders[0].net, args.seed)
        description = f'{RANDOM}, architecture of {names[0]}'
        encoders.append(dataclasses.replace(encoders[0], net=net, description=description))
        names.append(RANDOM)
    for name, encoder in zip(names, encoders, strict=True):
        print(f'{name}: {encoder.description}')
        if args.size % encoder.stride:
            raise UserError(f'--size {args.size} is not a multiple of {encoder.stride}, the stride of {name}')
    return list(zip(names, encoders, strict=True))


def _default_names(paths: Sequence[str]) -> list[str]:
    """Returns the file names without suffix; equal ones, such as `epoch_100` of two runs, with their folders."""
    stems = [Path(path).stem for path in paths]
    return [
        stem if stems.count(stem) == 1 else f'{Path(path).absolute().parent.name}/{stem}'
        for stem, path in zip(stems, paths, strict=True)
    ]


class ResultPrinter:
    """Prints each result with the seconds since the previous one; for the `on_result` of `evaluate_splits`.

    Args:
        measures: The measures by name.
    """

    def __init__(self, measures: Mapping[str, Measure]) -> None:
        self.measures = measures
        self.previous = time.perf_counter()

    def __call__(self, name: str, outcome: MeasureResult | UserError) -> None:
        now = time.perf_counter()
        measure = self.measures[name]
        text = f'n/a: {outcome}' if isinstance(outcome, UserError) else format_result(measure, outcome)
        print(f'  {measure.title:<40} {text:<24} {now - self.previous:6.1f} s', flush=True)
        self.previous = now


def write_results(
    args: Namespace,
    rows: Sequence[tuple[str, Results]],
    measures: Mapping[str, Measure],
    figure: Figure,
    nets: Sequence[NamedEncoder],
    counts: Mapping[str, Any],
) -> None:
    """Writes the figure, the table (`.md`) and all numbers (`.json`), and prints the table.

    Args:
        args: The options; they are written to the JSON file as settings.
        rows: Name and results of each net.
        measures: The measures by name.
        figure: The figure.
        nets: Names and encoders, in the order of the rows.
        counts: Further settings, such as the number of images.
    """
    out = Path(args.out)
    figure.savefig(out)
    table = markdown_table(rows, measures)
    out.with_suffix('.md').write_text(table, encoding='utf-8')
    entries = [
        {
            'name': name,
            'source': encoder.description,
            'measures': {key: result._asdict() for key, result in results.items()},
        }
        for (name, results), (_, encoder) in zip(rows, nets, strict=True)
    ]
    settings = {key: value for key, value in vars(args).items() if key not in ('checkpoints', 'names', 'out')}
    content = {'settings': {**settings, **counts}, 'nets': entries}
    out.with_suffix('.json').write_text(json.dumps(content, indent=1), encoding='utf-8')
    statistic = f'Mean ± sample standard deviation over {args.seeds} splits' if args.seeds > 1 else 'One split'
    paths = ', '.join(str(out.with_suffix(suffix)) for suffix in (out.suffix, '.md', '.json'))
    print(f'\n{table}\n{statistic}, chance level in brackets. Wrote {paths}')
