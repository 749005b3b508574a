"""Statistics over seeds."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scipy.stats import t

MIN_PAIRS = 3  # below this number an interval is not reliable


class Summary(NamedTuple):
    """Statistics of values.

    Attributes:
        n: Number of values.
        mean: Mean.
        std: Sample standard deviation; None for one value.
    """

    n: int
    mean: float
    std: float | None


class Difference(NamedTuple):
    """Paired difference.

    Attributes:
        n: Number of pairs.
        mean: Mean difference.
        low: Lower end of the confidence interval; None for fewer than `MIN_PAIRS` pairs.
        high: Upper end of the confidence interval; None for fewer than `MIN_PAIRS` pairs.
    """

    n: int
    mean: float
    low: float | None
    high: float | None


def summarise(values: Sequence[float]) -> Summary:
    """Computes mean and sample standard deviation of at least one value."""
    n = len(values)
    mean = math.fsum(values) / n
    return Summary(n, mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1)) if n > 1 else None)


def paired_difference(
    values: Mapping[int, float], baseline: Mapping[int, float], confidence: float = 0.95
) -> Difference | None:
    """Computes the mean of `values - baseline` over their common seeds, with the interval of Student's t.

    Fewer than `MIN_PAIRS` pairs have no interval.

    Args:
        values: Values by seed.
        baseline: Values of the baseline by seed.
        confidence: Confidence level; the differences are assumed to be normal.

    Returns:
        The difference, or None if there is no common seed.
    """
    seeds = sorted(set(values) & set(baseline))
    if not seeds:
        return None
    n, mean, std = summarise([values[seed] - baseline[seed] for seed in seeds])
    if std is None or n < MIN_PAIRS:
        return Difference(n, mean, None, None)
    half_width = float(t.ppf((1 + confidence) / 2, n - 1)) * std / math.sqrt(n)
    return Difference(n, mean, mean - half_width, mean + half_width)
