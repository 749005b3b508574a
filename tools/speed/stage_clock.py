"""Times the stages of a step on the clock of the device."""

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
    """Accumulates the time of named stages; a nested stage pauses the outer one.

    Each stage boundary records a mark: a CUDA event on a GPU, which does not synchronise, or the time on a CPU. All
    time between the first and the last mark belongs to exactly one stage, `other` when no stage is open.

    Args:
        device: Device of the work.
    """

    def __init__(self, device: torch.device | str) -> None:
        self.device = torch.device(device)
        self._open = [REST]
        self._marks: list[tuple[Any, str]] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Attributes the time inside the context to this stage."""
        self._open.append(name)
        self._mark()
        try:
            yield
        finally:
            self._open.pop()
            self._mark()

    def restart(self) -> None:
        """Clears the measurements and starts again."""
        self._marks.clear()
        self._mark()

    def finish(self) -> None:
        """Records the last mark and synchronises the device."""
        self._mark()
        if self.device.type == 'cuda':
            torch.cuda.synchronize(self.device)

    def seconds(self) -> dict[str, float]:
        """Returns the seconds since `restart`, by stage."""
        total: dict[str, float] = {}
        for (start, stage), (end, _) in zip(self._marks, self._marks[1:], strict=False):
            total[stage] = total.get(stage, 0.0) + self._between(start, end)
        return total

    def _mark(self) -> None:
        """Records a mark; the time after it belongs to the innermost open stage."""
        if self.device.type == 'cuda':
            mark: Any = torch.cuda.Event(enable_timing=True)
            mark.record()
        else:
            mark = time.perf_counter()
        self._marks.append((mark, self._open[-1]))

    def _between(self, start: Any, end: Any) -> float:
        return start.elapsed_time(end) / 1000 if self.device.type == 'cuda' else end - start


@contextmanager
def timed_method(clock: StageClock, stage: str, owner: Any, path: str) -> Iterator[None]:
    """Times the calls of a method as a stage while the context is open.

    Args:
        clock: Clock of the stages.
        stage: Name of the stage.
        owner: Object that holds the method.
        path: Attribute path of the method, such as `'teacher.forward'`.

    Raises:
        UserError: The owner does not have this method.
    """
    *parents, name = path.split('.')
    try:
        holder = operator.attrgetter('.'.join(parents))(owner) if parents else owner
        method = getattr(holder, name)
    except AttributeError as error:
        raise UserError(
            f'{type(owner).__name__} has no {path}, which this benchmark times; use a config whose model has '
            'a backbone, neck, head and teacher'
        ) from error

    @functools.wraps(method)
    def timed(*args: Any, **kwargs: Any) -> Any:
        with clock.stage(stage):
            return method(*args, **kwargs)

    setattr(holder, name, timed)  # shadows the method of the class
    try:
        yield
    finally:
        delattr(holder, name)


def peak_memory_mib(device: torch.device) -> tuple[str, float]:
    """Returns a description and the MiB: peak of allocated tensors on a GPU, else of this process without workers."""
    if device.type == 'cuda':
        return 'peak CUDA memory allocated', torch.cuda.max_memory_allocated(device) / 2**20
    unit = 1 if sys.platform == 'darwin' else 1024  # macOS reports bytes, Linux KiB
    return 'peak resident memory', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
