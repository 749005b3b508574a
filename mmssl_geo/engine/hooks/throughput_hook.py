"""Images per second, and whether the loader holds the training up."""
import math
import os
from collections import deque

import torch
from mmengine.hooks import Hook

from mmssl_geo.registry import HOOKS


@HOOKS.register_module()
class ThroughputHook(Hook):
    """Logs `images_per_s` of all processes together and `data_wait_fraction`, the fraction of the time spent waiting for data.

    On a GPU that is how long the device itself was idle between two steps, by its own clock: the host is ahead of it,
    and waits for data without harm. On a CPU it is mmengine's `data_time`. Where the share is high, a warning says so
    once in `interval` iterations, with the number of workers to try.

    Args:
        interval: iterations over which the share is taken.
        max_share: above this share a warning is logged.
    """
    priority = 'NORMAL'  # after IterTimerHook (registered earlier), before LoggerHook

    def __init__(self, interval=200, max_share=0.1):
        self.interval = interval
        self.max_share = max_share
        self._start_anew()
        self._first = True  # iteration of an epoch, or of what a resumed run has left of it
        self._step_end = None
        self._gaps = deque()  # (end of a step, arrival of the next batch), not yet read

    def before_train_epoch(self, runner):
        self._first = True

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if torch.cuda.is_available() and not self._first:
            self._gaps.append((self._step_end, _mark()))

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        hub = runner.message_hub
        seconds = hub.get_scalar('train/time').current()
        images = runner.train_dataloader.batch_size * runner.world_size
        hub.update_scalar('train/images_per_s', images / seconds)
        if torch.cuda.is_available():
            self._step_end = _mark()
        if self._first:
            self._first = False
            return  # workers start
        self._seconds += seconds
        self._waited += self._idle_seconds() if torch.cuda.is_available() else hub.get_scalar(
            'train/data_time').current()
        self._iterations += 1
        share = self._waited / self._seconds
        hub.update_scalar('train/data_wait_fraction', share)
        if self._iterations >= self.interval:
            if share > self.max_share:
                runner.logger.warning(advice(
                    share, runner.train_dataloader.num_workers, cores_per_process()))
            self._start_anew()

    def _start_anew(self):
        self._iterations, self._seconds, self._waited = 0, 0., 0.

    def _idle_seconds(self):
        """Idle time of the device between steps, of those gaps that it has passed by now."""
        seconds = 0.
        while self._gaps and self._gaps[0][1].query():
            end, arrival = self._gaps.popleft()
            seconds += end.elapsed_time(arrival) / 1000
        return seconds


def advice(share, num_workers, cores):
    """What to say of a loader that is waited for.

    Args:
        share: share of the time that is spent waiting, below 1.
        num_workers: of the loader.
        cores: that this process has.
    """
    busy = 1 - share
    # n workers deliver a batch in the whole time of a step, and have to in its busy part; without workers loading and
    # computing take turns
    needed = math.ceil(max(1, num_workers) * (1 if num_workers else share) / max(busy, 1e-3))
    said = f'the data loader is the bottleneck: {share:.0%} of the time is spent waiting for it'
    if needed <= cores:
        return f'{said}; try train_dataloader.num_workers={needed} (now {num_workers}, {cores} cores)'
    if num_workers < cores:
        return (f'{said}; try train_dataloader.num_workers={cores} (now {num_workers}), all cores of this process; '
                f'{needed} would be needed')
    return (f'{said}; all {cores} cores of this process are in use ({num_workers} workers), {needed} would be needed: '
            'take cheaper views (docs/speed.md) or a machine with more cores per GPU')


def cores_per_process():
    """Cores that each process of this machine has to itself, at least one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    return max(1, cores // int(os.environ.get('LOCAL_WORLD_SIZE', 1)))


def _mark():
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event
