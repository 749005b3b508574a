"""Checks of labelled data against the config that uses them, before anything is trained or evaluated."""

from .check import SPLITS, annotation_problems, refuse_problems

__all__ = ['SPLITS', 'annotation_problems', 'refuse_problems']
