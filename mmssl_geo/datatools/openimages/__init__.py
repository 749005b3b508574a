"""A documented, seeded subset of Open Images: ours, since the split of D3SSL's OpenImage-MINI is not published."""
from .make import make_subset
from .subset import SubsetOptions

__all__ = ['SubsetOptions', 'make_subset']
