"""The table of names that a checkpoint may use, and what it may set on the objects that they make."""

import argparse
import collections
import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from . import safe_arrays, safe_values
from .safe_arrays import NDARRAY, DType, StorageType
from .safe_values import Global, UnsafeGlobalError, is_count, require

_STATISTICS = ('min', 'max', 'mean', 'current')
UNSUPPORTED = {
    'torch._utils._rebuild_sparse_tensor': 'a sparse tensor; save dense tensors (tensor.to_dense())',
    'torch._utils._rebuild_sparse_csr_tensor': 'a sparse tensor; save dense tensors (tensor.to_dense())',
    'torch._utils._rebuild_nested_tensor': 'a nested tensor; save dense tensors',
    'torch._utils._rebuild_qtensor': 'a quantised tensor; use the checkpoint from before its quantisation',
    'torch._utils._rebuild_meta_tensor_no_storage': 'a tensor on the device "meta", which has no values',
    'torch._utils._rebuild_wrapper_subclass': 'a subclass of Tensor; save plain tensors',
    'torch.rebuild_tensor._rebuild_from_type_v2': 'a subclass of Tensor; save plain tensors',
    'torch._utils._rebuild_device_tensor_from_numpy': 'a tensor of an XLA device; save tensors of the CPU',
    'torch._utils._rebuild_device_tensor_from_cpu_tensor': 'a tensor of an XLA device; save tensors of the CPU',
    'torch.distributed.tensor._api.DTensor': 'a sharded tensor (DTensor); save the full state_dict',
    'torch.distributed.rebuild_tensor.api.DTensor': 'a sharded tensor (DTensor); save the full state_dict',
    'torch.QInt8Storage': 'a quantised tensor; use the checkpoint from before its quantisation',
    'torch.QUInt8Storage': 'a quantised tensor; use the checkpoint from before its quantisation',
    'torch.QInt32Storage': 'a quantised tensor; use the checkpoint from before its quantisation',
}
"""What a file holds, by a name in it that is harmless but not supported."""


def _history_method(owner: Any, name: Any) -> str:
    """Replaces `getattr`, with which MMEngine's history buffers name their four statistics."""
    if owner is not HISTORY_BUFFER or name not in _STATISTICS:
        raise UnsafeGlobalError('builtins.getattr')
    return str(name)


class _HistoryRecord:
    """Holds the attributes of a history buffer if mmengine is not installed."""


def _new_history() -> object:
    if importlib.util.find_spec('mmengine') is None:
        return _HistoryRecord()
    from mmengine.logging import HistoryBuffer

    return HistoryBuffer()


def _set_history(buffer: Any, state: Any) -> None:
    """Restores the history of a scalar; the statistics are those of the installed mmengine."""
    log, count, length = (state.get(name) for name in ('_log_history', '_count_history', 'max_length'))
    for values in (log, count):
        require(
            isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in 'biuf',
            'a history buffer without numbers',
        )
    require(len(log) == len(count) and is_count(length) and length > 0, 'a history buffer without a proper length')
    buffer._log_history, buffer._count_history, buffer.max_length = log, count, length


def _set_attributes(target: Any, state: Mapping[str, Any]) -> None:
    """Sets the attributes of a Namespace, and `_metadata` of a state dict, which holds the versions of the modules."""
    if isinstance(target, argparse.Namespace):
        target.__dict__.update(state)
    else:
        require(set(state) <= {'_metadata'}, 'a dict with attributes')
        metadata = state.get('_metadata')
        require(
            isinstance(metadata, dict) and all(isinstance(value, dict) for value in metadata.values()),
            'a state dict with malformed versions of its modules',
        )
        target._metadata = metadata


def set_state(target: Any, state: Any) -> None:
    """Applies BUILD: gives an object of the allowed kinds its state.

    Raises:
        MalformedError: If the state is not one that a real checkpoint has.
        UnsafeGlobalError: If the object may not have a state.
    """
    if isinstance(target, DType):
        return safe_arrays.check_dtype_state(target, state)
    if type(target) is np.ndarray:
        return safe_arrays.set_array(target, state)
    if isinstance(target, Global):
        raise UnsafeGlobalError(f'attributes of {target.name.rpartition(".")[2]}')
    require(type(state) is dict and all(type(key) is str for key in state), 'an object with a malformed state')
    if type(target) in (argparse.Namespace, collections.OrderedDict):
        return _set_attributes(target, state)
    if type(target).__name__ in ('HistoryBuffer', '_HistoryRecord'):
        return _set_history(target, state)
    raise UnsafeGlobalError(f'attributes of {type(target).__name__}')


HISTORY_BUFFER = Global('mmengine.logging.history_buffer.HistoryBuffer', new=_new_history)


def _allowed_globals() -> dict[str, Any]:
    functions: dict[str, Callable[..., Any]] = {
        'collections.Counter': safe_values.make_counter,
        'collections.OrderedDict': safe_values.ordered_dict,
        'builtins.set': safe_values.make_set,
        'builtins.frozenset': safe_values.make_frozenset,
        'builtins.slice': safe_values.make_slice,
        'builtins.complex': safe_values.complex_number,
        'builtins.bytearray': safe_values.make_bytearray,
        'builtins.getattr': _history_method,
        '_codecs.encode': safe_values.encode_latin1,
        'numpy.dtype': safe_arrays.numpy_dtype,
        'torch.Size': safe_values.torch_size,
        'torch.device': safe_values.torch_device,
        'torch._utils._rebuild_tensor': safe_arrays.rebuild_tensor,
        'torch._utils._rebuild_tensor_v2': safe_arrays.rebuild_tensor,
        'torch._utils._rebuild_tensor_v3': safe_arrays.rebuild_tensor_v3,
        'torch._utils._rebuild_parameter': safe_arrays.rebuild_parameter,
        'torch._utils._rebuild_parameter_with_state': safe_arrays.rebuild_parameter,
    }
    for core in ('numpy.core', 'numpy._core'):  # numpy 1 and numpy 2
        functions[f'{core}.multiarray._reconstruct'] = safe_arrays.new_array
        functions[f'{core}.multiarray.scalar'] = safe_arrays.numpy_scalar
    instances = ('collections.Counter', 'collections.OrderedDict')
    allowed: dict[str, Any] = {
        name: Global(name, function, function if name in instances else None) for name, function in functions.items()
    }
    allowed['argparse.Namespace'] = Global('argparse.Namespace', argparse.Namespace, argparse.Namespace)
    allowed['numpy.ndarray'], allowed[HISTORY_BUFFER.name] = NDARRAY, HISTORY_BUFFER
    allowed.update({str(value): value for value in vars(torch).values() if isinstance(value, torch.dtype)})
    return allowed | _storage_types()


def _storage_types() -> dict[str, StorageType]:
    names = dict(
        Double=torch.float64,
        Float=torch.float32,
        Half=torch.float16,
        BFloat16=torch.bfloat16,
        Long=torch.int64,
        Int=torch.int32,
        Short=torch.int16,
        Char=torch.int8,
        Byte=torch.uint8,
        Bool=torch.bool,
        ComplexDouble=torch.complex128,
        ComplexFloat=torch.complex64,
    )
    types = {f'torch.{name}Storage': StorageType(dtype) for name, dtype in names.items()}
    return types | {'torch.storage.UntypedStorage': StorageType(None), 'torch.UntypedStorage': StorageType(None)}


ALLOWED_GLOBALS = _allowed_globals()
