"""Where the time of a step goes, measured on the device's own clock."""

import functools
import operator
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from mmssl_geo.utils.errors import UserError

REST = 'other'


class StageClock:
    """Adds up the time of named stages; a stage within another one stops the outer one's clock.

    At every border a mark is set: on a GPU an event in its queue, so that nothing waits for anything; on a CPU the
    time. All time between the first and the last mark belongs to exactly one stage, `other` where none is open.

    Args:
        device: where the work is done.
    """

    def __init__(self, device: torch.device | str) -> None:
        self.device = torch.device(device)
        self._open = [REST]
        self._marks: list[tuple[Any, str]] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[Any]:
        """Time within belongs to this stage."""
        self._open.append(name)
        self._mark()
        try:
            yield
        finally:
            self._open.pop()
            self._mark()

    def restart(self) -> None:
        """Forgets what was measured and begins anew."""
        self._marks.clear()
        self._mark()

    def finish(self) -> None:
        """Sets the last mark and waits for the device."""
        self._mark()
        if self.device.type == 'cuda':
            torch.cuda.synchronize(self.device)

    def seconds(self) -> Any:
        """Stage -> seconds since `restart`."""
        total: dict[str, float] = {}
        for (start, stage), (end, _) in zip(self._marks, self._marks[1:], strict=False):
            total[stage] = total.get(stage, 0.0) + self._between(start, end)
        return total

    def _mark(self) -> None:
        """From now on time belongs to the innermost open stage."""
        if self.device.type == 'cuda':
            mark: Any = torch.cuda.Event(enable_timing=True)
            mark.record()
        else:
            mark = time.perf_counter()
        self._marks.append((mark, self._open[-1]))

    def _between(self, start: Any, end: Any) -> Any:
        return start.elapsed_time(end) / 1000 if self.device.type == 'cuda' else end - start


@contextmanager
def timed_method(clock: StageClock, stage: str, owner: Any, path: str) -> Iterator[Any]:
    """While this is open, calls of a method count as a stage.

    Args:
        clock: `StageClock`.
        stage: name of the stage.
        owner: object that holds the method.
        path: attributes that lead to it, such as `'teacher.forward'`.

    Raises:
        UserError: if the owner has no such method.
    """
    *parents, name = path.split('.')
    try:
        holder = operator.attrgetter('.'.join(parents))(owner) if parents else owner
        method = getattr(holder, name)
    except AttributeError as error:
        raise UserError(
            f'{type(owner).__name__} has no {path}, which this benchmark times; give a config of a model '
            'of backbone, neck, head and teacher'
        ) from error

    @functools.wraps(method)
    def timed(*args: Any, **kwargs: Any) -> Any:
        with clock.stage(stage):
            return method(*args, **kwargs)

    setattr(holder, name, timed)  # hides the class's method
    try:
        yield
    finally:
        delattr(holder, name)


def peak_memory_mib(device: torch.device) -> Any:
    """`(what was measured, MiB)`: the tensors' peak on a GPU, else this process's (without its data loaders')."""
    if device.type == 'cuda':
        return 'peak CUDA memory allocated', torch.cuda.max_memory_allocated(device) / 2**20
    unit = 1 if sys.platform == 'darwin' else 1024  # bytes there, KiB elsewhere
    return 'peak resident memory', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
