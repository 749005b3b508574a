"""Photometric augmentation: samples parameters, and applies them to one array or to a batch of tensors on any device.

Needs numpy, OpenCV and torch only.
"""

from .arrays import augment_view
from .params import OPERATIONS, PhotometricParams, RowSlices
from .sampler import PhotometricSampler
from .tensors import augment_batch

__all__ = ['OPERATIONS', 'PhotometricParams', 'PhotometricSampler', 'RowSlices', 'augment_batch', 'augment_view']
