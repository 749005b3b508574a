"""Numbers over seeds."""
import math
from typing import NamedTuple

from scipy.stats import t


class Summary(NamedTuple):
    """Of some values: their number, mean and sample standard deviation (None of one value)."""
    n: int
    mean: float
    std: float


class Difference(NamedTuple):
    """Of pairs: their number, mean difference and the ends of its 95 % interval (None of one pair)."""
    n: int
    mean: float
    low: float
    high: float


def summarise(values):
    """`Summary` of at least one value."""
    n = len(values)
    mean = math.fsum(values) / n
    return Summary(n, mean, math.sqrt(math.fsum((value - mean)**2 for value in values) / (n - 1)) if n > 1 else None)


def paired_difference(values, baseline, confidence=0.95):
    """Mean of `values - baseline` over the seeds that both have, with Student's t interval.

    Args:
        values, baseline: seed -> value.
        confidence: share of such intervals that hold the true mean, if the differences are normal.

    Returns:
        Difference, or None if they share no seed.
    """
    seeds = sorted(set(values) & set(baseline))
    if not seeds:
        return None
    n, mean, std = summarise([values[seed] - baseline[seed] for seed in seeds])
    if std is None:
        return Difference(n, mean, None, None)
    half = t.ppf((1 + confidence) / 2, n - 1) * std / math.sqrt(n)
    return Difference(n, mean, mean - half, mean + half)
