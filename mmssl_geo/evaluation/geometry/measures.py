"""All measures of geometric sensitivity on one set of features, and the table of several."""
import statistics
from typing import NamedTuple

import torch

from mmssl_geo.utils.errors import UserError

from .correspondence import correspondence_precision
from .equivariance import crop_equivariance_error, turn_equivariance_error
from .linear_probes import position_readout, rotation_readout


class Measure(NamedTuple):
    """What a measure is called and how it is written: `factor` 100 is for per cent."""
    title: str
    factor: int = 1


class Measured(NamedTuple):
    """Mean and standard deviation (0 of one seed) over seeds, and the mean chance, all without `factor`."""
    mean: float
    std: float
    chance: float


MEASURES = {
    'rotation_accuracy': Measure('rotation read-out, accuracy %', 100),
    'position_error': Measure('position read-out, error in sides'),
    'turn_equivariance_error': Measure('equivariance error, quarter turns'),
    'crop_equivariance_error': Measure('equivariance error, crops'),
    'upright_precision': Measure('correspondence, upright, precision %', 100),
    'turned_precision': Measure('correspondence, turned, precision %', 100),
}


def split_images(num, seed):
    """Random halves of `num` images: indices to fit on (the smaller half if odd), and indices to test on."""
    order = torch.randperm(num, generator=torch.Generator().manual_seed(seed))
    return order[:num // 2].sort().values, order[num // 2:].sort().values


def measure_geometry(features, views, seeds, tolerance=1., on_measure=lambda name, measured: None):
    """Every measure of `MEASURES`, for each seed with its own split of the images.

    Directions are taken from the mean cell of the upright squares of the images to fit on; everything is measured
    on the images to test on.

    Args:
        features: GeometryFeatures of N >= 4 images.
        views: their GeometryViews.
        seeds: numbers, of the splits.
        tolerance: of `correspondence_precision`, in cells.
        on_measure: see `average_over_splits`.

    Returns:
        dict: name -> Measured, in the order of `MEASURES`.
    """
    splits = [split_images(len(views.squares), seed) for seed in seeds]
    functions = _functions(features, views, tolerance)
    return average_over_splits(functions, splits, on_measure)


def average_over_splits(functions, splits, on_measure):
    """Name -> Measured; a measure that these images or this map do not allow is missing.

    Args:
        functions: name -> function from indices `(train, test)` to `(value, chance)`; may raise `UserError`.
        splits: list of `(train, test)`.
        on_measure: called with the name and the `Measured`, or the `UserError` that says why there is none.
    """
    results = {}
    for name, function in functions.items():
        try:
            values, chances = zip(*(function(train, test) for train, test in splits), strict=True)
        except UserError as error:
            on_measure(name, error)
            continue
        spread = statistics.stdev(values) if len(values) > 1 else 0.
        results[name] = Measured(statistics.fmean(values), spread, statistics.fmean(chances))
        on_measure(name, results[name])
    return results


def _functions(features, views, tolerance):
    """Name -> function from indices `(train, test)` to `(value, chance)`."""
    squares = features.turned_squares

    def centre(train):
        return squares[0, train].mean(dim=(0, 2, 3), dtype=torch.float64).to(squares.dtype)

    def turns(train, test):
        return turn_equivariance_error(squares[:, test], centre(train)), 1.

    def crops(train, test):
        return crop_equivariance_error(
            features.first[test], features.second[test], views.crop_boxes_src[test], centre(train)), 1.

    def precision(second, second_turns):
        return lambda train, test: correspondence_precision(
            features.first[test], second[test], views.crop_boxes_src[test], second_turns[test], centre(train),
            tolerance)

    return dict(
        rotation_accuracy=lambda train, test: rotation_readout(squares, train, test),
        position_error=lambda train, test: position_readout(squares[0], train, test),
        turn_equivariance_error=turns,
        crop_equivariance_error=crops,
        upright_precision=precision(features.second, torch.zeros_like(views.turns)),
        turned_precision=precision(features.second_turned, views.turns))


def format_measured(measure, measured):
    """Such as '63.1 ± 0.8 (25.0)', the chance in brackets; 'n/a' of None.

    Args:
        measure: Measure
        measured: Measured, or None.
    """
    if measured is None:
        return 'n/a'
    digits = 1 if measure.factor == 100 else 3
    mean, std, chance = (f'{measure.factor * value:.{digits}f}' for value in measured)
    return f'{mean} ± {std} ({chance})'


def markdown_table(rows, measures):
    """Markdown text of a table.

    Args:
        rows: `(name, {measure: Measured})` of each net; a measure that was not taken is missing.
        measures: name -> Measure, the columns.
    """
    lines = [['net', *(measure.title for measure in measures.values())], ['---'] * (len(measures) + 1)]
    for name, results in rows:
        lines.append([name.replace('|', r'\|'),
                      *(format_measured(measure, results.get(key)) for key, measure in measures.items())])
    return ''.join(f'| {" | ".join(line)} |\n' for line in lines)
