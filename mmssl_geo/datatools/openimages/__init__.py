"""A documented, seeded subset of Open Images. It is our own, because the split of OpenImage-MINI is not published."""

from .make import make_subset
from .subset import SubsetOptions

__all__ = ['SubsetOptions', 'make_subset']
