"""Measures images per second and the time spent waiting for data."""

import math
import os
from collections import deque
from typing import Any

import torch
from mmengine.hooks import Hook, IterTimerHook
from mmengine.runner import Runner

from mmssl_geo.registry import HOOKS
from mmssl_geo.utils.checks import check_counts, check_fractions
from mmssl_geo.utils.errors import UserError


@HOOKS.register_module()
class ThroughputHook(Hook):
    """Logs `images_per_s` of all processes and `data_wait_fraction`, the fraction of the time spent waiting for data.

    On a GPU the waiting time is the device's idle time between two steps, measured on the device: the host runs ahead
    and may wait for data without loss. On a CPU it is mmengine's `data_time`. If the fraction is high, a warning is
    logged once every `interval` iterations, with the number of workers to try.

    Args:
        interval: Number of iterations over which the fraction is averaged.
        max_wait_fraction: Fraction above which a warning is logged.

    Raises:
        UserError: In `before_train`, if the run has no `IterTimerHook`.
    """

    priority = 'NORMAL'  # after IterTimerHook (registered earlier), before LoggerHook

    def __init__(self, interval: int = 200, max_wait_fraction: float = 0.1) -> None:
        check_counts('ThroughputHook', interval=interval)
        check_fractions('ThroughputHook', max_wait_fraction=max_wait_fraction)
        self.interval = interval
        self.max_wait_fraction = max_wait_fraction
        self._reset()
        self._is_first = True  # of an epoch, or of the rest of an epoch after a resume
        self._step_end: torch.cuda.Event | None = None
        self._gaps: deque[tuple[torch.cuda.Event, torch.cuda.Event]] = deque()  # end of a step, start of the next one

    def before_train(self, runner: Runner) -> None:
        if not any(isinstance(hook, IterTimerHook) for hook in runner.hooks):
            raise UserError(
                'ThroughputHook requires IterTimerHook, which measures the time of an iteration: restore '
                'default_hooks.timer, or set default_hooks.throughput=None'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        self._is_first = True

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None) -> None:
        if torch.cuda.is_available() and not self._is_first and self._step_end is not None:
            self._gaps.append((self._step_end, _record_event()))

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        hub = runner.message_hub
        seconds = hub.get_scalar('train/time').current()
        images = runner.train_dataloader.batch_size * runner.world_size
        hub.update_scalar('train/images_per_s', images / seconds)
        if torch.cuda.is_available():
            self._step_end = _record_event()
        if self._is_first:
            self._is_first = False
            return  # the first iteration includes the start of the workers
        self._seconds += seconds
        self._seconds_waited += (
            self._idle_seconds() if torch.cuda.is_available() else hub.get_scalar('train/data_time').current()
        )
        self._iterations += 1
        fraction = self._seconds_waited / self._seconds
        hub.update_scalar('train/data_wait_fraction', fraction)
        if self._iterations >= self.interval:
            if fraction > self.max_wait_fraction:
                advice = bottleneck_advice(fraction, runner.train_dataloader.num_workers, cores_per_process())
                runner.logger.warning(advice)
            self._reset()

    def _reset(self) -> None:
        self._iterations, self._seconds, self._seconds_waited = 0, 0.0, 0.0

    def _idle_seconds(self) -> float:
        """Sums the device's idle time in the gaps that it has passed since the last call."""
        seconds = 0.0
        while self._gaps and self._gaps[0][1].query():
            end, start = self._gaps.popleft()
            seconds += end.elapsed_time(start) / 1000
        return seconds


def bottleneck_advice(wait_fraction: float, num_workers: int, cores: int) -> str:
    """Describes a data loader that is the bottleneck, and what to change.

    Args:
        wait_fraction: Fraction of the time spent waiting, below 1.
        num_workers: Number of workers of the loader.
        cores: Number of cores available to this process.
    """
    busy = 1 - wait_fraction
    # n workers deliver a batch in the whole time of a step but have to in its busy part; without workers, loading and
    # computing alternate
    needed = math.ceil(max(1, num_workers) * (1 if num_workers else wait_fraction) / max(busy, 1e-3))
    text = f'the data loader is the bottleneck: {wait_fraction:.0%} of the time is spent waiting for it'
    if needed <= cores:
        return f'{text}; try train_dataloader.num_workers={needed} (now {num_workers}, {cores} cores)'
    if num_workers < cores:
        return (
            f'{text}; try train_dataloader.num_workers={cores} (now {num_workers}), all cores of this process; '
            f'{needed} would be needed'
        )
    return (
        f'{text}; all {cores} cores of this process are in use ({num_workers} workers), {needed} would be needed: '
        'use cheaper views (docs/speed.md) or a machine with more cores per GPU'
    )


def cores_per_process() -> int:
    """Returns the number of cores available to each process of this machine, at least one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    return max(1, cores // int(os.environ.get('LOCAL_WORLD_SIZE', 1)))


def _record_event() -> torch.cuda.Event:
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event
