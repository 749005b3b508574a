"""Results of measures over several seeds or splits, and the table of several nets."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mmssl_geo.utils.errors import UserError

ValueAndChance = tuple[float, float]
"""Value of a measure and its chance level."""

SplitFunction = Callable[[Tensor, Tensor], ValueAndChance]
"""Computes a measure from the indices of the training images and of the test images."""


class Measure(NamedTuple):
    """How a measure is displayed.

    Attributes:
        title: Column heading.
        factor: 100 for a measure displayed in per cent, otherwise 1.
    """

    title: str
    factor: int = 1


class MeasureResult(NamedTuple):
    """Result of a measure over several seeds, before the multiplication by `Measure.factor`.

    Attributes:
        mean: Mean over the seeds.
        std: Sample standard deviation over the seeds; None for one seed.
        chance: Mean chance level.
    """

    mean: float
    std: float | None
    chance: float


Results = dict[str, MeasureResult]
"""Results of one net by the name of the measure; measures that could not be computed are missing."""


def summarise(values: Sequence[ValueAndChance]) -> MeasureResult:
    """Averages the values of a measure, and its chance levels, over seeds."""
    measured, chances = zip(*values, strict=True)
    std = statistics.stdev(measured) if len(measured) > 1 else None
    return MeasureResult(statistics.fmean(measured), std, statistics.fmean(chances))


def split_images(num_images: int, seed: int) -> tuple[Tensor, Tensor]:
    """Splits images at random into two halves; the training half is the smaller one.

    Returns:
        Indices of the training images and of the test images, ascending.
    """
    order = torch.randperm(num_images, generator=torch.Generator().manual_seed(seed))
    return order[: num_images // 2].sort().values, order[num_images // 2 :].sort().values


def evaluate_splits(
    functions: Mapping[str, SplitFunction],
    splits: Sequence[tuple[Tensor, Tensor]],
    on_result: Callable[[str, MeasureResult | UserError], object] | None = None,
) -> Results:
    """Evaluates measures on every split.

    Args:
        functions: Measures by name. A measure raises `UserError` where it is not defined for these images.
        splits: Indices of the training and of the test images of each split.
        on_result: Called with the name and the result of each measure, or with the error that explains why there is
            no result.

    Returns:
        Results by the name of the measure.
    """
    results = {}
    for name, function in functions.items():
        outcome: MeasureResult | UserError
        try:
            outcome = results[name] = summarise([function(train, test) for train, test in splits])
        except UserError as error:
            outcome = error
        if on_result:
            on_result(name, outcome)
    return results


def format_result(measure: Measure, result: MeasureResult | None) -> str:
    """Formats a result as '63.1 ± 0.8 (25.0)', with the chance level in brackets, or as 'n/a'.

    A result of one seed has no standard deviation: '63.1 (25.0)'.
    """
    if result is None:
        return 'n/a'
    digits = 1 if measure.factor == 100 else 3

    def scaled(value: float) -> str:
        return f'{measure.factor * value:.{digits}f}'

    deviation = '' if result.std is None else f' ± {scaled(result.std)}'
    return f'{scaled(result.mean)}{deviation} ({scaled(result.chance)})'


def markdown_table(rows: Sequence[tuple[str, Results]], measures: Mapping[str, Measure]) -> str:
    """Formats results as a Markdown table.

    Args:
        rows: Name and results of each net.
        measures: The columns, by the name of the measure.
    """
    lines = [['net', *(measure.title for measure in measures.values())], ['---'] * (len(measures) + 1)]
    for name, results in rows:
        lines.append(
            [name.replace('|', r'\|'), *(format_result(measure, results.get(key)) for key, measure in measures.items())]
        )
    return ''.join(f'| {" | ".join(line)} |\n' for line in lines)
