"""Arrays of numpy and tensors of torch, built from checked arguments only."""

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .safe_values import Global, MalformedError, is_count, require

MAX_DIMS = 64
NDARRAY = Global('numpy.ndarray')


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


def numpy_dtype(name: Any, align: Any = False, copy: Any = True) -> DType:
    require(
        type(name) is str and re.fullmatch(r'[biufc]\d{1,2}|[US]\d{1,6}|\?|bool', str(name)),
        f'a numpy array of the type {name!s:.40}, not of numbers or text',
    )
    return DType(np.dtype(str(name)))


def check_dtype_state(dtype: DType, state: Any) -> None:
    """Accepts the state that numpy itself writes for the type in the machine's byte order."""
    expected = dtype.dtype.__reduce__()[2]
    same = type(state) is tuple and len(state) >= 8 and type(state[1]) is str and state[1] in '<=|'
    require(same and state[2:8] == expected[2:8], 'a numpy type with a foreign byte order, or fields')


def new_array(owner: Any, shape: Any, kind: Any) -> np.ndarray[Any, Any]:
    require(owner is NDARRAY and shape == (0,) and kind in (b'b', 'b'), 'a numpy array of another class')
    return np.empty(0, np.int8)


def set_array(array: np.ndarray[Any, Any], state: Any) -> None:
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


def numpy_scalar(dtype: Any, data: Any) -> object:
    require(isinstance(dtype, DType) and type(data) is bytes, 'a numpy scalar of an object')
    require(len(data) == dtype.dtype.itemsize, 'a numpy scalar of the wrong size')
    return np.frombuffer(data, dtype.dtype)[0]


def rebuild_tensor(
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


def rebuild_tensor_v3(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, dtype: Any, metadata: Any = None
) -> Tensor:
    """Replaces `_rebuild_tensor_v3`, which torch uses for types without a storage class."""
    require(isinstance(dtype, torch.dtype), 'a tensor without a type')
    raise MalformedError(
        f'a tensor of type {dtype}; save the weights as float32, float16 or bfloat16'.replace('torch.', '')
    )


def rebuild_parameter(data: Any, requires_grad: Any, hooks: Any, state: Any = None) -> nn.Parameter:
    require(isinstance(data, Tensor), 'a parameter without a tensor')
    is_float = data.is_floating_point() or data.is_complex()
    return nn.Parameter(data.detach(), bool(requires_grad) and is_float)
