"""Heads: match the views' features and combine the losses."""

from .d3ssl_head import D3SSLHead
from .dino_head import DINOHead
from .gtsa_head import GTSAHead
from .norm_linear_cls_head import NormLinearClsHead
from .rotation_head import RotationHead

__all__ = ['D3SSLHead', 'DINOHead', 'GTSAHead', 'NormLinearClsHead', 'RotationHead']
