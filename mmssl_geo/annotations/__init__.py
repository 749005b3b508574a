"""Checks of labelled data against the config that uses them."""

from .problems import data_problems

__all__ = ['data_problems']
