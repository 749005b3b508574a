"""One compared quantity, and how differences are measured."""
import math
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Quantity:
    """A difference and what is allowed.

    Args:
        name: what was compared.
        difference: the largest one, in `unit`.
        tolerance: the largest difference that holds; None for one that is known and only reported.
        unit: 'px', or '' for a share of the largest reference value.
        where: the member of a group that differs most.
    """
    name: str
    difference: float
    tolerance: float | None
    unit: str = ''
    where: str = ''

    @property
    def holds(self):
        """Whether the difference is within the tolerance."""
        return self.tolerance is None or self.difference <= self.tolerance

    def __str__(self):
        verdict = 'known, reported only' if self.tolerance is None else (
            f'{"ok" if self.holds else "DIFFERS"} (tolerance {self.tolerance:.0e})')
        where = f', most in {self.where}' if self.where and not self.holds else ''
        return f'{self.name:<52} {self.difference:8.1e} {self.unit:<2}  {verdict}{where}'


def relative_difference(ours, theirs):
    """max|a - b| / max|b| with b = theirs; infinite if the shapes differ, a value is NaN, or b alone is zero."""
    ours, theirs = (torch.as_tensor(values).detach().double() for values in (ours, theirs))
    if ours.shape != theirs.shape:
        return math.inf
    difference, largest = absolute_difference(ours, theirs), theirs.abs().max().item()
    if difference in (0., math.inf):
        return difference
    return difference / largest if largest else math.inf


def absolute_difference(ours, theirs):
    """max|a - b| of two tensors of one shape; infinite if a value is NaN, so that no comparison passes it over."""
    difference = (ours - theirs).abs().max().item()
    return math.inf if math.isnan(difference) else difference
