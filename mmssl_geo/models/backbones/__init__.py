"""Backbones: vision transformer and ResNet with strict loading, and the contract of a backbone (`base`)."""

from .resnet import SSLRes5, SSLResNet
from .vision_transformer import SSLVisionTransformer

__all__ = ['SSLRes5', 'SSLResNet', 'SSLVisionTransformer']
