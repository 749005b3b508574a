"""An unpickler that builds data and never runs code from the file, for use as torch.load's `pickle_module`.

Why not `weights_only=True`: mmengine's own training checkpoints need `getattr` (for the statistics of its history
buffers), which torch can only allow without limits, and that is as good as running code; torch < 2.6 knows no
second names for a type (arrays written by the other numpy generation) and lets TorchScript archives through. So the
same idea, an exact list of harmless names, is applied here alike for every torch.
"""
import argparse
import collections
import importlib.util
import pickle
import types

import numpy as np
import torch


class UnsafeGlobalError(pickle.UnpicklingError):
    """The file asks for something outside the list; its only argument is that name (`module.name`)."""


class _HistoryRecord:
    """Holds a history buffer's attributes where mmengine is not installed."""


def _history_buffer():
    if importlib.util.find_spec('mmengine') is None:
        return _HistoryRecord
    from mmengine.logging import HistoryBuffer
    return HistoryBuffer


def _history_method(owner, name):
    """Stands in for `getattr`, which mmengine's history buffers use to name their four statistics."""
    if owner is not _history_buffer() or name not in ('min', 'max', 'mean', 'current'):
        raise UnsafeGlobalError('builtins.getattr')
    return getattr(owner, name, None)


def _encode_latin1(text, encoding):
    """Stands in for `_codecs.encode`, with which protocol 2 spells bytes."""
    if encoding != 'latin1':
        raise UnsafeGlobalError('_codecs.encode')
    return text.encode('latin1')


def _harmless():
    allowed = {
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


_HARMLESS = _harmless()


class SafeUnpickler(pickle._Unpickler):
    """Unpickler that knows the names of `_HARMLESS` and mmengine's history buffer, and refuses all others.

    It is the one written in Python, because the other's opcodes cannot be overridden.

    Raises:
        UnsafeGlobalError: the file asks for another name, or would change a class or a function.
    """
    dispatch = dict(pickle._Unpickler.dispatch)

    def find_class(self, module, name):
        path = f'{module}.{name}'.replace('__builtin__.', 'builtins.', 1)
        if path == 'mmengine.logging.history_buffer.HistoryBuffer':
            return _history_buffer()
        if path not in _HARMLESS:
            raise UnsafeGlobalError(path)
        return _HARMLESS[path]

    def load_build(self):
        """Gives an object its attributes; a class or a function must not get any, they outlive the reading."""
        target = self.stack[-2]
        if callable(target):
            raise UnsafeGlobalError(f'attributes of {getattr(target, "__name__", type(target).__name__)}')
        super().load_build()

    dispatch[pickle.BUILD[0]] = load_build


def _load(file, **options):
    return SafeUnpickler(file, **options).load()


safe_pickle = types.SimpleNamespace(__name__='safe_pickle', Unpickler=SafeUnpickler, load=_load)
