from .conv_projector import ConvProjector
from .vit_pyramid import ViTPyramid

__all__ = ['ConvProjector', 'ViTPyramid']
