"""Probes of frozen features with labelled images, by the names of `tools/probe.py` and `ProbeHook`."""

from collections.abc import Callable

from .base import Probe, evaluate_backbone
from .classification import KnnProbe, LinearClassificationProbe
from .objects import ObjectKnnProbe
from .segmentation import SegmentationProbe

PROBES: dict[str, Callable[..., Probe]] = {
    'knn': KnnProbe,
    'linear': LinearClassificationProbe,
    'object-knn': ObjectKnnProbe,
    'segmentation': SegmentationProbe,
}

__all__ = [
    'PROBES',
    'KnnProbe',
    'LinearClassificationProbe',
    'ObjectKnnProbe',
    'Probe',
    'SegmentationProbe',
    'evaluate_backbone',
]
