"""What the benchmarks share: counting operator calls, racing candidates against each other, printing."""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.progress import ProgressBar

# Calls that start nothing on a device though their schema does not say so.
FREE = (
    'aten::_unsafe_view',
    'aten::_reshape_alias',
    'aten::empty',
    'aten::new_empty',
    'aten::empty_like',
    'aten::empty_strided',
    'aten::new_empty_strided',
    'aten::detach',
    'aten::is_same_size',
    'aten::lift_fresh',
)


class OperatorCalls(TorchDispatchMode):
    """Counts the operators that do work on tensors, forward and backward; views and allocations are not counted.

    On a GPU each is at least one launch of a kernel. A `_foreach_` operator is a handful of launches there and counts
    as one, unless its lists do not fit together tensor by tensor: it then goes through them one at a time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not func.is_view and func._schema.name not in FREE:
            self.names.extend([func._schema.name] * _launches(func, args))
        return func(*args, **(kwargs or {}))


def _launches(func: Any, args: tuple) -> Any:
    lists = [arg for arg in args if isinstance(arg, list | tuple) and arg and isinstance(arg[0], torch.Tensor)]
    fits = all(first.shape == other.shape for more in lists[1:] for first, other in zip(lists[0], more, strict=True))
    return 1 if fits or '_foreach_' not in func._schema.name else len(lists[0])


def count_calls(function: Callable[[], Any]) -> int:
    """Number of operator calls of `function()`."""
    with OperatorCalls() as calls:
        function()
    return len(calls.names)


def race(candidates: dict[str, Any], rounds: int, device: torch.device | str = 'cpu') -> Any:
    """Times functions by turns, so that a busy machine hurts all alike.

    Args:
        candidates: name -> function without arguments; each runs once before the clock starts.
        rounds: how often each is timed.
        device: on a GPU each is waited for.

    Returns:
        dict: name -> median seconds of a call.
    """
    times: dict[str, list[float]] = {name: [] for name in candidates}
    progress = ProgressBar(rounds, 'rounds')
    for number in range(rounds + 1):
        for name, function in candidates.items():
            with timed() as clock:
                function()
                if torch.device(device).type == 'cuda':
                    torch.cuda.synchronize(device)
            if number:
                times[name].append(clock.seconds)
        progress.update(bool(number))
    progress.close()
    return {name: statistics.median(values) for name, values in times.items()}


class _Clock:
    seconds: float | None = None


@contextmanager
def timed() -> Any:
    """Gives an object whose `seconds` are known when the context is left."""
    clock, start = _Clock(), time.perf_counter()
    yield clock
    clock.seconds = time.perf_counter() - start


def check_least(args: argparse.Namespace, **least: int) -> None:
    """Raises:
    UserError: an option, or one of its values, is less than it may be; `least` says name -> smallest value.
    """
    for name, smallest in least.items():
        values = getattr(args, name)
        for value in values if isinstance(values, list) else [values]:
            if value is not None and value < smallest:
                raise UserError(f'--{name.replace("_", "-")} {value}: must be at least {smallest}')


def check_out(path: str | Path | None) -> None:
    """Makes the folder of a file to be written.

    Raises:
        UserError: nothing can be written there.
    """
    if not path:
        return
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f'--out {path}: its folder cannot be made ({error.strerror})') from error
    if Path(path).is_dir():
        raise UserError(f'--out {path} is a folder: name a file in it')


def report(result: dict[str, Any], path: str | Path | None) -> None:
    """Prints the JSON that ends an output, then writes it to a file if one is named."""
    print(json.dumps(result))
    if path:
        Path(path).write_text(json.dumps(result, indent=2) + '\n')


def check_device(device: torch.device | str) -> None:
    """Raises:
    UserError: the CPU is asked for where there is a GPU, which mmengine would take for parts of a step.
    """
    if device == 'cpu' and torch.cuda.is_available():
        raise UserError('--device cpu where there is a GPU: hide it, by CUDA_VISIBLE_DEVICES= before the command')


def ratio(ours: Any, theirs: Any) -> Any:
    """How many times better ours is, or None if there is nothing to compare with."""
    return None if theirs is None else theirs / ours


def kept_for_backward_mib(function: Callable[[], Any]) -> float:
    """MiB of different tensors that autograd keeps during `function()`, weights included; the same on every device."""
    sizes = {}

    def pack(tensor: Tensor) -> Any:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        function()
    return sum(sizes.values()) / 2**20
