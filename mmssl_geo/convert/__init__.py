"""Safe checkpoint reading, the converter, and encoders to run."""
from .checkpoint_io import read_checkpoint, write_checkpoint
from .converter import convert
from .encoder import Encoder, load_encoder

__all__ = ['Encoder', 'convert', 'load_encoder', 'read_checkpoint', 'write_checkpoint']
