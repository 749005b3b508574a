"""An unpickler that builds data and never runs code from the file, for `torch.load(pickle_module=...)`.

`weights_only=True` is not enough: MMEngine's training checkpoints need `getattr` (for the statistics of its history
buffers), which torch can only allow without restrictions, and unrestricted `getattr` amounts to running code. Also,
torch < 2.6 has no aliases of a type (arrays that the other major version of numpy wrote) and reads TorchScript
archives. This module applies the same idea, an exact list of harmless names, under every version of torch.
"""

import argparse
import collections
import importlib.util
import pickle
import types
from typing import IO, Any

import numpy as np
import torch


class UnsafeGlobalError(pickle.UnpicklingError):
    """The file asks for a name outside the list; the only argument is that name (`module.name`)."""


class _HistoryRecord:
    """Holds the attributes of a history buffer if mmengine is not installed."""


def _history_buffer() -> type:
    if importlib.util.find_spec('mmengine') is None:
        return _HistoryRecord
    from mmengine.logging import HistoryBuffer

    return HistoryBuffer


def _history_method(owner: object, name: str) -> object:
    """Replaces `getattr`, with which MMEngine's history buffers name their four statistics."""
    if owner is not _history_buffer() or name not in ('min', 'max', 'mean', 'current'):
        raise UnsafeGlobalError('builtins.getattr')
    return getattr(owner, name, None)


def _encode_latin1(text: str, encoding: str) -> bytes:
    """Replaces `_codecs.encode`, with which protocol 2 stores bytes."""
    if encoding != 'latin1':
        raise UnsafeGlobalError('_codecs.encode')
    return text.encode('latin1')


def _allowed_globals() -> dict[str, Any]:
    allowed: dict[str, Any] = {
        'argparse.Namespace': argparse.Namespace,
        'collections.Counter': collections.Counter,
        'collections.OrderedDict': collections.OrderedDict,
        'builtins.set': set,
        'builtins.frozenset': frozenset,
        'builtins.slice': slice,
        'builtins.complex': complex,
        'builtins.bytearray': bytearray,
        'builtins.getattr': _history_method,
        '_codecs.encode': _encode_latin1,
        'numpy.ndarray': np.ndarray,
        'numpy.dtype': np.dtype,
        'torch.Size': torch.Size,
        'torch.device': torch.device,
        'torch._utils._rebuild_tensor': torch._utils._rebuild_tensor,
        'torch._utils._rebuild_tensor_v2': torch._utils._rebuild_tensor_v2,
        'torch._utils._rebuild_parameter': torch._utils._rebuild_parameter,
    }
    for core in ('numpy.core', 'numpy._core'):  # numpy 1 and numpy 2
        allowed[f'{core}.multiarray._reconstruct'] = np.zeros(0).__reduce__()[0]
        allowed[f'{core}.multiarray.scalar'] = np.float64(0).__reduce__()[0]
    allowed.update({str(value): value for value in vars(torch).values() if isinstance(value, torch.dtype)})
    return allowed


_ALLOWED_GLOBALS = _allowed_globals()


_PythonUnpickler: Any = pickle._Unpickler  # the opcodes of the C version cannot be overridden


class SafeUnpickler(_PythonUnpickler):
    """Unpickler that resolves the names in `_ALLOWED_GLOBALS` and MMEngine's history buffer only.

    Raises:
        UnsafeGlobalError: If the file asks for another name, or would change a class or a function.
    """

    dispatch = dict(_PythonUnpickler.dispatch)

    def find_class(self, module: str, name: str) -> object:
        path = f'{module}.{name}'.replace('__builtin__.', 'builtins.', 1)
        if path == 'mmengine.logging.history_buffer.HistoryBuffer':
            return _history_buffer()
        if path not in _ALLOWED_GLOBALS:
            raise UnsafeGlobalError(path)
        return _ALLOWED_GLOBALS[path]

    def load_build(self) -> None:
        """Sets the attributes of an object, but not those of a class or a function, which would outlive the read."""
        target = self.stack[-2]
        if callable(target):
            raise UnsafeGlobalError(f'attributes of {getattr(target, "__name__", type(target).__name__)}')
        super().load_build()

    dispatch[pickle.BUILD[0]] = load_build


def _load(file: IO[bytes], **options: Any) -> object:
    return SafeUnpickler(file, **options).load()


safe_pickle = types.SimpleNamespace(__name__='safe_pickle', Unpickler=SafeUnpickler, load=_load)
