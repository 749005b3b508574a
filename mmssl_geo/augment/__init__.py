"""Photometric augmentation: draws, applied to one array on the CPU or to a batch of tensors on any device.

Needs numpy, OpenCV and torch only.
"""
from .arrays import apply_photometrics
from .params import OPERATIONS, PhotometricParams, RowSlices
from .tensors import photometrics_of_batch

__all__ = ['OPERATIONS', 'PhotometricParams', 'RowSlices', 'apply_photometrics', 'photometrics_of_batch']
