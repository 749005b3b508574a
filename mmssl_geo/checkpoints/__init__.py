"""Reading, matching and converting of checkpoints.

| Module | Contents |
|---|---|
| `io`, `safe_pickle` | read a checkpoint without running code from it; write one atomically |
| `layouts` | the meaning of a checkpoint's keys: known layouts, their prefixes and key styles |
| `architecture`, `vit`, `resnet` | what conversion needs from an architecture: its keys, its spec, its networks |
| `encoder` | one encoder of a checkpoint: `load_source` (weights and spec), `load_encoder` (a network to run) |
| `converter`, `verify`, `report` | write an encoder for another package, compare the features, print what was done |
| `formats` | ONNX files and Hugging Face folders |
"""

from .converter import convert
from .encoder import Encoder, load_encoder, load_source
from .io import read_checkpoint, write_checkpoint

__all__ = ['Encoder', 'convert', 'load_encoder', 'load_source', 'read_checkpoint', 'write_checkpoint']
