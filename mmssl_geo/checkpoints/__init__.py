"""Safe checkpoint reading, the converter, and encoders to run."""
from .converter import convert
from .encoder import Encoder, load_encoder
from .io import read_checkpoint, write_checkpoint

__all__ = ['Encoder', 'convert', 'load_encoder', 'read_checkpoint', 'write_checkpoint']
