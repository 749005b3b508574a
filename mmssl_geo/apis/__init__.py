"""Python interface: `get_model`, `extract_features`, `attention_maps`; training in the modules `config` and `train`."""

from .attention_maps import attention_maps
from .extract_features import extract_features
from .get_model import get_model

__all__ = ['attention_maps', 'extract_features', 'get_model']
