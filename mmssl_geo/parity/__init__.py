"""Comparison of this package with values that the official GTSA code has computed (`tools/check_parity.py`)."""
from .check import check_parity, describe
from .quantity import Quantity
from .reference import Reference

__all__ = ['Quantity', 'Reference', 'check_parity', 'describe']
