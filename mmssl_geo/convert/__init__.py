"""Safe checkpoint reading and the converter to downstream packages."""
from .checkpoint_io import read_checkpoint, write_checkpoint
from .converter import convert

__all__ = ['convert', 'read_checkpoint', 'write_checkpoint']
