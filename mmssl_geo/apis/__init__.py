"""Python interface: `get_model`, `extract_features`, and in the modules `config` and `train`, training of a config."""

from .extract_features import extract_features
from .get_model import get_model

__all__ = ['extract_features', 'get_model']
