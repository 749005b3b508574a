"""Necks: projectors of the methods, and a feature pyramid for detectors."""

from .conv_projector import ConvProjector
from .dino_neck import DINONeck
from .region_projector import RegionProjector
from .vit_pyramid import ViTPyramid

__all__ = ['ConvProjector', 'DINONeck', 'RegionProjector', 'ViTPyramid']
