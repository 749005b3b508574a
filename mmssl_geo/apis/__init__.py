"""Use of what was pretrained: backbones by name, and features of folders of images."""
from .get_model import get_model

__all__ = ['get_model']
