"""Shared code of the benchmarks: counting operator calls, timing candidates, checking options, reporting."""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.progress import ProgressBar

# Calls that launch no kernel, although their schema does not mark them as views.
NO_KERNEL = (
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
    """Counts operators that compute on tensors, forward and backward; views and allocations are not counted.

    On a GPU, each call launches at least one kernel. A `_foreach_` operator launches a few kernels and counts as one
    call, unless the shapes in its lists differ: it then processes the tensors one at a time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not func.is_view and func._schema.name not in NO_KERNEL:
            self.names.extend([func._schema.name] * _launches(func, args))
        return func(*args, **(kwargs or {}))


def _launches(func: Any, args: tuple) -> int:
    lists = [arg for arg in args if isinstance(arg, list | tuple) and arg and isinstance(arg[0], torch.Tensor)]
    fits = all(first.shape == other.shape for more in lists[1:] for first, other in zip(lists[0], more, strict=True))
    return 1 if fits or '_foreach_' not in func._schema.name else len(lists[0])


def count_calls(function: Callable[[], Any]) -> int:
    """Counts the operator calls of `function()`."""
    with OperatorCalls() as calls:
        function()
    return len(calls.names)


def time_interleaved(
    candidates: dict[Any, Callable[[], Any]], rounds: int, device: torch.device | str = 'cpu'
) -> dict[Any, float]:
    """Times functions alternately, so that load on the machine affects all of them equally.

    Args:
        candidates: Functions without arguments, by name; each runs once as a warm-up.
        rounds: Number of timed calls of each function.
        device: Device of the work; a GPU is synchronised after each call.

    Returns:
        Median seconds per call, by name.
    """
    times: dict[Any, list[float]] = {name: [] for name in candidates}
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
    seconds: float = 0.0


@contextmanager
def timed() -> Iterator[_Clock]:
    """Yields a clock whose `seconds` are set when the context exits."""
    clock, start = _Clock(), time.perf_counter()
    yield clock
    clock.seconds = time.perf_counter() - start


def check_minimum(args: argparse.Namespace, **minimums: int) -> None:
    """Checks that options are not below their minimums, given by name.

    Raises:
        UserError: An option, or one of its values, is too small.
    """
    for name, minimum in minimums.items():
        values = getattr(args, name)
        for value in values if isinstance(values, list) else [values]:
            if value is not None and value < minimum:
                raise UserError(f'--{name.replace("_", "-")} {value}: must be at least {minimum}')


def check_out(path: str | Path | None) -> None:
    """Creates the parent folder of an output file.

    Raises:
        UserError: The file cannot be written.
    """
    if not path:
        return
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f'--out {path}: its folder cannot be created ({error.strerror})') from error
    if Path(path).is_dir():
        raise UserError(f'--out {path} is a folder: name a file in it')


def report(result: dict[str, Any], path: str | Path | None) -> None:
    """Prints the result as one line of JSON and writes it to `path`, if given."""
    print(json.dumps(result))
    if path:
        Path(path).write_text(json.dumps(result, indent=2) + '\n')


def check_device(device: torch.device | str) -> None:
    """Checks that the GPU is hidden in a benchmark of the CPU; otherwise mmengine uses it for parts of a step.

    Raises:
        UserError: The device is the CPU and a GPU is visible.
    """
    if device == 'cpu' and torch.cuda.is_available():
        raise UserError('--device cpu on a machine with a GPU: hide it with CUDA_VISIBLE_DEVICES= before the command')


def ratio(ours: float, theirs: float | None) -> float | None:
    """Returns `theirs / ours`, or None without a value to compare with."""
    return None if theirs is None else theirs / ours


def kept_for_backward_mib(function: Callable[[], Any]) -> float:
    """Measures the MiB of distinct tensors that autograd saves during `function()`, weights included."""
    sizes = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        function()
    return sum(sizes.values()) / 2**20
