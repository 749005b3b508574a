"""An unpickler that builds plain data and tensors, never runs code from the file, and works in bounded time and memory.

`weights_only=True` is not enough: MMEngine's training checkpoints need `getattr` (for the statistics of its history
buffers), which torch can only allow without restrictions, and unrestricted `getattr` amounts to running code. Also,
torch calls constructors of numpy and torch with arguments that a forged file chooses. This module resolves an exact
list of names (`safe_globals`) to constructors that check their arguments (`safe_values`, `safe_arrays`).
"""

import argparse
import collections
import io
import pickle
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor

from .safe_arrays import StorageType
from .safe_globals import ALLOWED_GLOBALS, UNSUPPORTED, set_state
from .safe_values import Global, MalformedError, UnsafeGlobalError, check_key, require

MAX_DEPTH = 200
MAX_OBJECTS = 20_000_000  # after shared objects are counted as often as they occur
WORK_PER_BYTE = 50

_PythonUnpickler: Any = pickle._Unpickler  # the opcodes of the C version cannot be overridden


class SafeUnpickler(_PythonUnpickler):
    """Unpickler for the names in `ALLOWED_GLOBALS` only.

    Args:
        data: The pickle, perhaps followed by other data.
        persistent_load: Returns the object for a persistent id; None refuses them.
        tensor_bytes: Bound on the sum of all tensors' sizes; tensors can share storages.

    Raises:
        UnsafeGlobalError: If the file asks for another name, or would change a class or a function.
        MalformedError: If the file holds something that no real checkpoint does.
    """

    dispatch = dict(_PythonUnpickler.dispatch)

    def __init__(
        self, data: io.BytesIO, persistent_load: Callable[[Any], object] | None = None, tensor_bytes: int = 0
    ) -> None:
        super().__init__(data)
        self._tensor_bytes = tensor_bytes
        self._resolve = persistent_load
        self._size = len(data.getbuffer())
        self._work = 0

    def persistent_load(self, pid: object) -> object:
        """Returns the object for a persistent id."""
        require(self._resolve is not None, 'a reference to an object outside the pickle')
        assert self._resolve is not None
        return self._resolve(pid)

    def find_class(self, module: str, name: str) -> object:
        """Returns the replacement of a name."""
        path = f'{module}.{name}'.replace('__builtin__.', 'builtins.', 1)
        if path in UNSUPPORTED:
            raise MalformedError(UNSUPPORTED[path])
        if path not in ALLOWED_GLOBALS:
            raise UnsafeGlobalError(path)
        return ALLOWED_GLOBALS[path]

    def _charge(self, values: Iterable[Any]) -> None:
        """Bounds the sum of all arguments: a small file can use one large argument often."""
        self._work += 1 + sum(len(value) for value in values if isinstance(value, (str, bytes, list, tuple, dict)))
        require(self._work <= WORK_PER_BYTE * self._size, 'far more work than a file of its size needs')

    def _call(self, function: object, args: Any) -> object:
        require(type(args) is tuple, 'a call without arguments')
        if not isinstance(function, Global) or function.call is None:
            name = function.name if isinstance(function, Global) else type(function).__name__
            raise UnsafeGlobalError(f'{name}()')
        self._charge(args)
        result = function.call(*args)
        if isinstance(result, Tensor):
            self._tensor_bytes -= result.nbytes
            require(self._tensor_bytes >= 0, 'tensors that claim many times the size of the file')
        return result

    def load_reduce(self) -> None:
        args = self.stack.pop()
        self.stack[-1] = self._call(self.stack[-1], args)

    def load_newobj(self) -> None:
        args, cls = self.stack.pop(), self.stack.pop()
        if not isinstance(cls, Global) or cls.new is None:
            raise UnsafeGlobalError(f'{getattr(cls, "name", type(cls).__name__)}()')
        require(args == (), 'an object with arguments')
        self._charge(())
        self.append(cls.new())

    def load_newobj_ex(self) -> None:
        raise UnsafeGlobalError('an object with keyword arguments')

    def _instantiate(self, klass: Any, args: Iterable[Any]) -> None:
        self.append(self._call(klass, tuple(args)))

    def load_build(self) -> None:
        state = self.stack.pop()
        self._charge(state if isinstance(state, tuple) else (state,))
        set_state(self.stack[-1], state)

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append(self._checked_dict({}, items))

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._checked_dict(self.stack[-1], [key, value])

    def load_setitems(self) -> None:
        items = self.pop_mark()
        self._checked_dict(self.stack[-1], items)

    def _checked_dict(self, target: Any, items: list[Any]) -> Any:
        require(isinstance(target, dict) and len(items) % 2 == 0, 'items of something other than a dict')
        for key, value in zip(items[::2], items[1::2], strict=True):
            check_key(key)
            target[key] = value
        return target

    def load_append(self) -> None:
        value = self.stack.pop()
        require(type(self.stack[-1]) is list, 'elements of something other than a list')
        self.stack[-1].append(value)

    def load_appends(self) -> None:
        values = self.pop_mark()
        require(type(self.stack[-1]) is list, 'elements of something other than a list')
        self.stack[-1].extend(values)

    def load_additems(self) -> None:
        values = self.pop_mark()
        require(type(self.stack[-1]) is set, 'elements of something other than a set')
        for value in values:
            check_key(value)
        self.stack[-1].update(values)

    def load_frozenset(self) -> None:
        values = self.pop_mark()
        for value in values:
            check_key(value)
        self.append(frozenset(values))

    def load_bytearray8(self) -> None:
        (size,) = struct.unpack('<Q', self.read(8))
        require(size <= self._size, 'more bytes than the file has')
        self.append(bytearray(self.read(size)))


for _name in 'REDUCE NEWOBJ NEWOBJ_EX BUILD DICT SETITEM SETITEMS APPEND APPENDS ADDITEMS FROZENSET BYTEARRAY8'.split():
    SafeUnpickler.dispatch[getattr(pickle, _name)[0]] = getattr(SafeUnpickler, f'load_{_name.lower()}')


def safe_load(
    data: bytes | io.BytesIO, persistent_load: Callable[[Any], object] | None = None, tensor_bytes: int = 0
) -> object:
    """Unpickles data without running code.

    Args:
        data: A pickle; a stream is left at its end.
        persistent_load: Returns the object for a persistent id; None refuses them.
        tensor_bytes: Bound on the sum of all tensors' sizes.

    Raises:
        UnsafeGlobalError: If the pickle asks for a name that is not allowed.
        MalformedError: If it holds something that no real checkpoint does.
        Exception: Of any type, if the data is not a pickle.
    """
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    contents = SafeUnpickler(stream, persistent_load, tensor_bytes).load()
    check_structure(contents)
    return contents


def check_structure(contents: object) -> None:
    """Refuses nesting that is deep, circular or repeated so often that walking through it would take very long.

    Raises:
        MalformedError: Says which.
    """
    measured: dict[int, tuple[int, int]] = {}  # id -> (number of objects, depth)
    pending: set[int] = set()
    stack = [(contents, False)]
    while stack:
        value, is_complete = stack.pop()
        if is_complete:
            known = [measured[id(part)] for part in _parts(value) if id(part) in measured]
            plain = sum(1 for part in _parts(value) if id(part) not in measured)
            count = 1 + plain + sum(size for size, _ in known)
            depth = 1 + max((depth for _, depth in known), default=0)
            require(count <= MAX_OBJECTS, 'objects that repeat without bound')
            require(depth <= MAX_DEPTH, f'more than {MAX_DEPTH} nested levels')
            measured[id(value)] = (count, depth)
            pending.discard(id(value))
        elif id(value) not in measured:
            require(not isinstance(value, (Global, StorageType)), 'a class or a function instead of a value')
            if isinstance(value, (dict, list, tuple, argparse.Namespace)):
                require(id(value) not in pending, 'an object that contains itself')
                pending.add(id(value))
                stack.append((value, True))
                stack += [(part, False) for part in _parts(value) if _is_container(part)]


def _is_container(value: object) -> bool:
    return isinstance(value, (dict, list, tuple, argparse.Namespace, Global, StorageType))


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, argparse.Namespace):
        return vars(value).values()
    if isinstance(value, collections.OrderedDict) and vars(value):
        return [*value.values(), *vars(value).values()]
    if isinstance(value, Mapping):
        return value.values()
    return value
