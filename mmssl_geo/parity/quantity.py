"""A compared quantity, and the measures of difference."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Quantity:
    """A difference and its tolerance.

    Args:
        name: What was compared.
        difference: The largest difference, in `unit`.
        tolerance: The largest difference that is accepted; None for a known difference that is only reported.
        unit: 'px', or '' for a fraction of the largest reference value.
        where: Member of the group with the largest difference.
    """

    name: str
    difference: float
    tolerance: float | None
    unit: str = ''
    where: str = ''

    @property
    def holds(self) -> bool:
        """Whether the difference is within the tolerance."""
        return self.tolerance is None or self.difference <= self.tolerance

    def __str__(self) -> str:
        if self.tolerance is None:
            verdict = 'known, reported only'
        else:
            verdict = f'{"ok" if self.holds else "DIFFERS"} (tolerance {self.tolerance:.0e})'
        where = f', largest in {self.where}' if self.where and not self.holds else ''
        return f'{self.name:<52} {self.difference:8.1e} {self.unit:<2}  {verdict}{where}'


def relative_difference(ours: Tensor | Sequence[float], theirs: Tensor | Sequence[float]) -> float:
    """Computes max|ours - theirs| / max|theirs|.

    Returns:
        The difference; infinity if the shapes differ, a value is NaN, or only `theirs` is all zero.
    """
    a, b = (torch.as_tensor(values).detach().double() for values in (ours, theirs))
    if a.shape != b.shape:
        return math.inf
    difference, largest = absolute_difference(a, b), b.abs().max().item()
    if difference in (0.0, math.inf):
        return difference
    return difference / largest if largest else math.inf


def absolute_difference(ours: Tensor, theirs: Tensor) -> float:
    """Computes max|ours - theirs| of two tensors of the same shape; infinity if a value is NaN."""
    difference = (ours - theirs).abs().max().item()
    return math.inf if math.isnan(difference) else difference
