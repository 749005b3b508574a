"""Comparison of this package with values computed by the official GTSA code (`tools/check_parity.py`)."""

from .check import check_parity, describe
from .quantity import Quantity
from .reference import Reference

__all__ = ['Quantity', 'Reference', 'check_parity', 'describe']
