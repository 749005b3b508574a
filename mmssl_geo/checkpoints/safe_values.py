"""The values that `safe_pickle` builds: constructors that check every argument.

A constructor of Python, torch or numpy that trusts its arguments can read foreign memory, hang or allocate without
bound. Each name that real checkpoints use has a replacement in this package, which refuses what a real checkpoint does
not contain: plain values here, arrays and tensors in `safe_arrays`, the table of names in `safe_globals`.
"""

import collections
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

PLAIN_TYPES = (str, bytes, int, float, bool, type(None))
MAX_KEY_LENGTH = 16  # elements of a tuple that is a dictionary key
MAX_SIZE = 2**62


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


def ordered_dict(pairs: Any = ()) -> 'collections.OrderedDict[Any, Any]':
    require(type(pairs) in (list, tuple), 'an OrderedDict of something other than pairs')
    result: collections.OrderedDict[Any, Any] = collections.OrderedDict()
    for pair in pairs:
        require(type(pair) in (list, tuple) and len(pair) == 2, 'an OrderedDict of something other than pairs')
        check_key(pair[0])
        result[pair[0]] = pair[1]
    return result


def make_counter(counts: Any = None) -> 'collections.Counter[Any]':
    require(counts is None or type(counts) is dict, 'a Counter of something other than a dict')  # keys were checked
    return collections.Counter(counts)


def make_set(elements: Any = ()) -> set[Any]:
    require(type(elements) in (list, tuple), 'a set of something other than a list')
    for element in elements:
        check_key(element)
    return set(elements)


def make_frozenset(elements: Any = ()) -> frozenset[Any]:
    return frozenset(make_set(elements))


def make_bytearray(data: Any = b'', encoding: Any = 'latin-1') -> bytearray:
    require(type(data) in (bytes, str) and encoding == 'latin-1', 'a bytearray of something other than bytes')
    return bytearray(data) if isinstance(data, bytes) else bytearray(str(data), 'latin-1')


def complex_number(real: Any, imaginary: Any = 0.0) -> complex:
    require(type(real) in (int, float) and type(imaginary) in (int, float), 'a complex number of other values')
    return complex(real, imaginary)


def make_slice(*ends: Any) -> slice:
    require(1 <= len(ends) <= 3 and all(end is None or type(end) is int for end in ends), 'a slice of other values')
    return slice(*ends)


def encode_latin1(text: Any, encoding: Any) -> bytes:
    """Replaces `_codecs.encode`, with which protocol 2 stores bytes."""
    require(type(text) is str, 'encoded bytes of something other than text')
    if encoding not in ('latin1', 'latin-1'):
        raise UnsafeGlobalError('_codecs.encode')
    return str(text).encode('latin1')


def torch_size(sizes: Any = ()) -> torch.Size:
    require(type(sizes) in (list, tuple) and all(map(is_count, sizes)), 'a torch.Size of something other than sizes')
    return torch.Size(sizes)


def torch_device(name: Any, index: Any = None) -> torch.device:
    require(type(name) is str and re.fullmatch(r'[a-z]{2,16}(:\d{1,3})?', str(name)), 'a device without a proper name')
    require(index is None or (is_count(index) and index < 1000), 'a device without a proper index')
    return torch.device(str(name)) if index is None else torch.device(str(name), int(index))
