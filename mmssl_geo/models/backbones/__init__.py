"""Backbones."""
from .vision_transformer import SSLVisionTransformer

__all__ = ['SSLVisionTransformer']
