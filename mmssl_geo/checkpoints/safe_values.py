"""The only values that `safe_pickle` builds: constructors that check every argument.

A constructor of torch or numpy that trusts its arguments can read foreign memory, hang or allocate without bound. Each
name that real checkpoints use has a replacement here, which refuses what a real checkpoint does not contain.
"""

import argparse
import collections
import importlib.util
import math
import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

PLAIN_TYPES = (str, bytes, int, float, bool, type(None))
MAX_KEY_LENGTH = 16  # elements of a tuple that is a dictionary key
MAX_DIMS = 64
MAX_SIZE = 2**62
_STATISTICS = ('min', 'max', 'mean', 'current')

UNSUPPORTED = {
    'torch._utils._rebuild_sparse_tensor': 'a sparse tensor; save dense tensors (tensor.to_dense())',
    'torch._utils._rebuild_sparse_csr_tensor': 'a sparse tensor; save dense tensors (tensor.to_dense())',
    'torch._utils._rebuild_nested_tensor': 'a nested tensor; save dense tensors',
    'torch._utils._rebuild_qtensor': 'a quantised tensor; use the checkpoint from before its quantisation',
    'torch._utils._rebuild_meta_tensor_no_storage': 'a tensor on the device "meta", which has no values',
    'torch._utils._rebuild_wrapper_subclass': 'a subclass of Tensor; save plain tensors',
    'torch._tensor._rebuild_from_type_v2': 'a subclass of Tensor; save plain tensors',
    'torch._utils._rebuild_device_tensor_from_numpy': 'a tensor of an XLA device; save tensors of the CPU',
    'torch._utils._rebuild_device_tensor_from_cpu_tensor': 'a tensor of an XLA device; save tensors of the CPU',
    'torch.distributed.tensor._api.DTensor': 'a sharded tensor (DTensor); save the full state_dict',
    'torch.distributed._tensor.api.DTensor': 'a sharded tensor (DTensor); save the full state_dict',
    'torch.QInt8Storage': 'a quantised tensor; use the checkpoint from before its quantisation',
    'torch.QUInt8Storage': 'a quantised tensor; use the checkpoint from before its quantisation',
    'torch.QInt32Storage': 'a quantised tensor; use the checkpoint from before its quantisation',
}
"""What a file holds, by a name in it that is harmless but not supported."""


class UnsafeGlobalError(pickle.UnpicklingError):
    """The file asks for a name outside the list; the only argument is that name (`module.name`)."""


class MalformedError(pickle.UnpicklingError):
    """The file holds something that no real checkpoint does, or that is not supported."""


@dataclass(frozen=True)
class Global:
    """An allowed name of a pickle.

    Attributes:
        name: `module.name`.
        call: Replacement of the function, or None if the name may not be called.
        new: Makes an empty instance, or None if the name is not a class with instances in checkpoints.
    """

    name: str
    call: Callable[..., Any] | None = None
    new: Callable[[], Any] | None = None


@dataclass(frozen=True)
class StorageType:
    """A storage class of torch.

    Attributes:
        dtype: Type of its elements; None for untyped bytes.
    """

    dtype: torch.dtype | None


@dataclass
class Storage:
    """A storage of the file.

    Attributes:
        dtype: Type of the elements.
        untyped: The bytes.
    """

    dtype: torch.dtype
    untyped: torch.UntypedStorage

    @property
    def numel(self) -> int:
        """Number of elements."""
        return self.untyped.nbytes() // self.dtype.itemsize


@dataclass(frozen=True)
class DType:
    """A type of numpy, which BUILD cannot change."""

    dtype: np.dtype[Any]


def require(condition: Any, message: str) -> None:
    """Raises `MalformedError` unless the condition holds."""
    if not condition:
        raise MalformedError(message)


def check_key(key: Any) -> None:
    """Refuses keys whose hash can take long: all but plain values and short tuples of them.

    Raises:
        MalformedError: If the key is of another kind.
    """
    elements = key if type(key) is tuple else (key,)
    require(len(elements) <= MAX_KEY_LENGTH, 'a dictionary key is a long tuple')
    for element in elements:
        require(type(element) in PLAIN_TYPES or isinstance(element, torch.dtype), 'a dictionary key is not plain data')
        require(type(element) is not int or abs(element) < MAX_SIZE * 4, 'a dictionary key is a huge number')


def is_count(value: Any) -> bool:
    """Returns whether a value is an int that can be a size."""
    return type(value) is int and 0 <= value < MAX_SIZE


def _ordered_dict(pairs: Any = ()) -> 'collections.OrderedDict[Any, Any]':
    require(type(pairs) in (list, tuple), 'an OrderedDict of something other than pairs')
    result: collections.OrderedDict[Any, Any] = collections.OrderedDict()
    for pair in pairs:
        require(type(pair) in (list, tuple) and len(pair) == 2, 'an OrderedDict of something other than pairs')
        check_key(pair[0])
        result[pair[0]] = pair[1]
    return result


def _counter(counts: Any = None) -> 'collections.Counter[Any]':
    require(counts is None or type(counts) is dict, 'a Counter of something other than a dict')  # keys were checked
    return collections.Counter(counts)


def _set(elements: Any = ()) -> set[Any]:
    require(type(elements) in (list, tuple), 'a set of something other than a list')
    for element in elements:
        check_key(element)
    return set(elements)


def _frozenset(elements: Any = ()) -> frozenset[Any]:
    return frozenset(_set(elements))


def _bytearray(data: Any = b'', encoding: Any = 'latin-1') -> bytearray:
    require(type(data) in (bytes, str) and encoding == 'latin-1', 'a bytearray of something other than bytes')
    return bytearray(data) if isinstance(data, bytes) else bytearray(str(data), 'latin-1')


def _complex(real: Any, imaginary: Any = 0.0) -> complex:
    require(type(real) in (int, float) and type(imaginary) in (int, float), 'a complex number of other values')
    return complex(real, imaginary)


def _slice(*ends: Any) -> slice:
    require(1 <= len(ends) <= 3 and all(end is None or type(end) is int for end in ends), 'a slice of other values')
    return slice(*ends)


def _encode_latin1(text: Any, encoding: Any) -> bytes:
    """Replaces `_codecs.encode`, with which protocol 2 stores bytes."""
    require(type(text) is str, 'encoded bytes of something other than text')
    if encoding not in ('latin1', 'latin-1'):
        raise UnsafeGlobalError('_codecs.encode')
    return str(text).encode('latin1')


def _size(sizes: Any = ()) -> torch.Size:
    require(type(sizes) in (list, tuple) and all(map(is_count, sizes)), 'a torch.Size of something other than sizes')
    return torch.Size(sizes)


def _device(name: Any, index: Any = None) -> torch.device:
    require(type(name) is str and re.fullmatch(r'[a-z]{2,16}(:\d{1,3})?', str(name)), 'a device without a proper name')
    require(index is None or (is_count(index) and index < 1000), 'a device without a proper index')
    return torch.device(str(name)) if index is None else torch.device(str(name), int(index))


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


def _dtype(name: Any, align: Any = False, copy: Any = True) -> DType:
    require(
        type(name) is str and re.fullmatch(r'[biufc]\d{1,2}|[US]\d{1,6}|\?|bool', str(name)),
        f'a numpy array of the type {name!s:.40}, not of numbers or text',
    )
    return DType(np.dtype(str(name)))


def _check_dtype_state(dtype: DType, state: Any) -> None:
    """Accepts the state that numpy itself writes for the type in the machine's byte order."""
    expected = dtype.dtype.__reduce__()[2]
    same = type(state) is tuple and len(state) >= 8 and type(state[1]) is str and state[1] in '<=|'
    require(same and state[2:8] == expected[2:8], 'a numpy type with a foreign byte order, or fields')


def _new_array(owner: Any, shape: Any, kind: Any) -> np.ndarray[Any, Any]:
    require(owner is NDARRAY and shape == (0,) and kind in (b'b', 'b'), 'a numpy array of another class')
    return np.empty(0, np.int8)


def _set_array(array: np.ndarray[Any, Any], state: Any) -> None:
    require(type(state) is tuple and len(state) == 5, 'a numpy array without its values')
    _, shape, dtype, is_fortran, data = state
    require(isinstance(dtype, DType) and type(data) is bytes, 'a numpy array of objects')
    require(type(shape) is tuple and len(shape) <= 32 and all(map(is_count, shape)), 'a numpy array without a shape')
    require(
        math.prod(shape) * dtype.dtype.itemsize == len(data) and max(shape, default=0) <= len(data),
        'a numpy array whose values do not fill its shape',
    )
    checked: Any = (1, shape, dtype.dtype, bool(is_fortran), data)
    array.__setstate__(checked)


def _scalar(dtype: Any, data: Any) -> object:
    require(isinstance(dtype, DType) and type(data) is bytes, 'a numpy scalar of an object')
    require(len(data) == dtype.dtype.itemsize, 'a numpy scalar of the wrong size')
    return np.frombuffer(data, dtype.dtype)[0]


def _tensor(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any = False,
    hooks: Any = None,
    metadata: Any = None,
) -> Tensor:
    """Replaces `_rebuild_tensor` and `_rebuild_tensor_v2`; a tensor has no more elements than its storage."""
    require(isinstance(storage, Storage), 'a tensor without storage')
    require(is_count(offset), 'a tensor with an impossible offset')
    for values in (size, stride):
        require(
            isinstance(values, tuple) and len(values) <= MAX_DIMS and all(map(is_count, values)),
            'a tensor with an impossible shape',
        )
    require(len(size) == len(stride), 'a tensor with an impossible shape')
    numel = math.prod(size)
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    available = storage.numel
    require(
        numel <= available and (numel == 0 or last < available),
        f'a tensor of shape {tuple(size)!s:.80}, but its storage has {available} elements',
    )
    require(not metadata, 'a conjugated or negated view of a tensor; save it after resolve_conj() and resolve_neg()')
    tensor = torch.empty(0, dtype=storage.dtype)
    if numel or available:
        tensor.set_(storage.untyped, offset, size, stride)
    else:
        tensor = tensor.reshape(size)
    return tensor.requires_grad_(bool(requires_grad) and (tensor.is_floating_point() or tensor.is_complex()))


def _tensor_v3(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, dtype: Any, metadata: Any = None
) -> Tensor:
    """Replaces `_rebuild_tensor_v3`, which torch uses for types without a storage class."""
    require(isinstance(dtype, torch.dtype), 'a tensor without a type')
    raise MalformedError(
        f'a tensor of type {dtype}; save the weights as float32, float16 or bfloat16'.replace('torch.', '')
    )


def _parameter(data: Any, requires_grad: Any, hooks: Any, state: Any = None) -> nn.Parameter:
    require(isinstance(data, Tensor), 'a parameter without a tensor')
    is_float = data.is_floating_point() or data.is_complex()
    return nn.Parameter(data.detach(), bool(requires_grad) and is_float)


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
        return _check_dtype_state(target, state)
    if type(target) is np.ndarray:
        return _set_array(target, state)
    if isinstance(target, Global):
        raise UnsafeGlobalError(f'attributes of {target.name.rpartition(".")[2]}')
    require(type(state) is dict and all(type(key) is str for key in state), 'an object with a malformed state')
    if type(target) in (argparse.Namespace, collections.OrderedDict):
        return _set_attributes(target, state)
    if type(target).__name__ in ('HistoryBuffer', '_HistoryRecord'):
        return _set_history(target, state)
    raise UnsafeGlobalError(f'attributes of {type(target).__name__}')


HISTORY_BUFFER = Global('mmengine.logging.history_buffer.HistoryBuffer', new=_new_history)
NDARRAY = Global('numpy.ndarray')


def _allowed_globals() -> dict[str, Any]:
    functions: dict[str, Callable[..., Any]] = {
        'collections.Counter': _counter,
        'collections.OrderedDict': _ordered_dict,
        'builtins.set': _set,
        'builtins.frozenset': _frozenset,
        'builtins.slice': _slice,
        'builtins.complex': _complex,
        'builtins.bytearray': _bytearray,
        'builtins.getattr': _history_method,
        '_codecs.encode': _encode_latin1,
        'numpy.dtype': _dtype,
        'torch.Size': _size,
        'torch.device': _device,
        'torch._utils._rebuild_tensor': _tensor,
        'torch._utils._rebuild_tensor_v2': _tensor,
        'torch._utils._rebuild_tensor_v3': _tensor_v3,
        'torch._utils._rebuild_parameter': _parameter,
        'torch._utils._rebuild_parameter_with_state': _parameter,
    }
    for core in ('numpy.core', 'numpy._core'):  # numpy 1 and numpy 2
        functions[f'{core}.multiarray._reconstruct'] = _new_array
        functions[f'{core}.multiarray.scalar'] = _scalar
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
