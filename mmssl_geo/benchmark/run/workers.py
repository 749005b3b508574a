"""Workers that run jobs in parallel on GPUs, on shares of the CPU or in a Slurm partition."""

import datetime
import os
import queue
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch

from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.paths import resource_root
from mmssl_geo.utils.subprocesses import ProcessGroup, tool_command

MAX_CPU_JOBS = 4  # by default
FIRST_PORT = 29500

_Item = TypeVar('_Item')
_Worker = TypeVar('_Worker')


@dataclass(frozen=True)
class Worker:
    """Devices that run one job at a time.

    Attributes:
        number: Index of the worker.
        gpus: Value of CUDA_VISIBLE_DEVICES; '' runs on the CPU, None leaves the choice to Slurm.
        num_processes: Number of processes of one training.
        threads: Number of threads of each process.
        partition: Slurm partition; None: this machine.
    """

    number: int
    gpus: str | None = ''
    num_processes: int = 1
    threads: int = 1
    partition: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of a job. Its config is complete, so the variables that configs read are unset."""
        port = int(os.environ.get('PORT', FIRST_PORT)) + self.number
        variables = dict(PORT=str(port), PYTHON=sys.executable, DATA_ROOT='', CHECKPOINT='')
        if self.partition is not None:
            gpus = self.num_processes
            return {**variables, 'GPUS': str(gpus), 'GPUS_PER_NODE': str(min(8, gpus))}
        threads = str(self.threads)
        return {
            **variables,
            'CUDA_VISIBLE_DEVICES': self.gpus or '',
            'OMP_NUM_THREADS': threads,
            'MKL_NUM_THREADS': threads,
        }

    def train_command(self, config: Path, work_dir: Path, name: str, resume: str | None = None) -> list[str]:
        """Returns the command that trains a config.

        Args:
            config: Config.
            work_dir: Work directory.
            name: Name of the Slurm job.
            resume: Checkpoint to resume from.
        """
        tools = resource_root() / 'tools'
        command: Sequence[str | Path]
        if self.partition is not None:
            command = ['bash', tools / 'slurm_train.sh', self.partition, name, config, work_dir]
        elif self.num_processes > 1:
            command = ['bash', tools / 'dist_train.sh', config, str(self.num_processes), '--work-dir', work_dir]
        else:
            command = tool_command('train.py', config, '--work-dir', work_dir)
        return [*map(str, command), *(['--resume', resume] if resume else [])]

    def single_command(self, command: list[str]) -> list[str]:
        """Wraps a command that needs one device."""
        if self.partition is None:
            return command
        options = shlex.split(os.environ.get('SRUN_ARGS', ''))
        return ['srun', '-p', self.partition, '--gres=gpu:1', '--ntasks=1', *options, *command]


def visible_gpus() -> list[str]:
    """Returns the numbers of the GPUs that this process may use."""
    variable = os.environ.get('CUDA_VISIBLE_DEVICES')
    count = torch.cuda.device_count()
    return variable.split(',')[:count] if variable else [str(number) for number in range(count)]


def make_workers(
    gpus: list[str] | None = None,
    jobs: int | None = None,
    gpus_per_job: int = 1,
    partition: str | None = None,
    visible: Sequence[str] = (),
    cores: int = 1,
) -> list[Worker]:
    """Divides the devices of this machine, or of Slurm, among workers.

    Args:
        gpus: Numbers of the GPUs to use; None: all visible ones, unless `jobs` is given.
        jobs: Number of parallel jobs on the CPU or, with Slurm, in its queue.
        gpus_per_job: Number of GPUs, and processes, of one training.
        partition: Slurm partition.
        visible: Numbers of the GPUs of this machine.
        cores: Number of its CPU cores.

    Raises:
        UserError: If a number is not possible.
    """
    for option, value in (('--jobs', jobs), ('--gpus-per-job', gpus_per_job)):
        if value is not None and value < 1:
            raise UserError(f'{option} must be at least 1')
    if partition is not None:
        return [Worker(number, None, gpus_per_job, partition=partition) for number in range(jobs or 1)]
    if gpus is None and jobs is None:
        gpus = list(visible)
    if unknown := [gpu for gpu in gpus or () if gpu not in visible]:
        raise UserError(f'--gpus {",".join(unknown)}: the GPUs of this machine are {", ".join(visible) or "none"}')
    if gpus:
        if len(gpus) % gpus_per_job:
            raise UserError(f'--gpus-per-job {gpus_per_job} does not divide the {len(gpus)} GPUs {",".join(gpus)}')
        groups = [gpus[first : first + gpus_per_job] for first in range(0, len(gpus), gpus_per_job)]
        threads = max(1, cores // len(gpus))
        return [Worker(number, ','.join(group), gpus_per_job, threads) for number, group in enumerate(groups)]
    if gpus_per_job > 1:
        raise UserError(f'--gpus-per-job {gpus_per_job} needs GPUs, but jobs run on the CPU')
    jobs = jobs or min(cores, MAX_CPU_JOBS)
    return [Worker(number, threads=max(1, cores // jobs)) for number in range(jobs)]


def share_threads(workers: Sequence[Worker], num_items: int) -> list[Worker]:
    """Gives the threads of idle workers to the busy ones, if there are fewer items than workers.

    Args:
        workers: Workers of this machine or of Slurm, which chooses the threads itself.
        num_items: Number of items to run.
    """
    busy = workers[:num_items]
    threads = sum(worker.threads for worker in workers) // len(busy)
    return [replace(worker, threads=threads) for worker in busy]


def run_all(
    items: Iterable[_Item],
    workers: Sequence[_Worker],
    run_one: Callable[[_Item, _Worker], None],
    processes: ProcessGroup,
) -> None:
    """Calls `run_one(item, worker)` for every item; each worker runs one item at a time.

    If this is interrupted or a call raises, all processes are stopped and no further item is started.

    Args:
        items: Items, in the order in which they are started.
        workers: Workers.
        run_one: Function that is called in threads.
        processes: Processes that `run_one` starts.
    """
    waiting: queue.SimpleQueue[_Item] = queue.SimpleQueue()
    for item in items:
        waiting.put(item)

    def work(worker: _Worker) -> None:
        while not processes.stopped:
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                run_one(item, worker)
            except BaseException:
                processes.stop()
                raise

    with ThreadPoolExecutor(len(workers)) as executor:
        futures = [executor.submit(work, worker) for worker in workers]
        try:
            wait(futures)
        except BaseException:
            processes.stop()
            raise
    for future in futures:
        future.result()


class ProgressLog:
    """Logs finished and failed items and the remaining time.

    Args:
        unit: What is counted, such as 'jobs'.
        costs: Estimated cost of each item that is run now, by name.
        previously_done: Number of items that were finished before.
    """

    def __init__(self, unit: str, costs: Mapping[str, float], previously_done: int = 0) -> None:
        self.unit = unit
        self.costs = costs
        self.previously_done = previously_done
        self.done: list[str] = []
        self.failed: list[str] = []
        self.start_time = time.monotonic()

    def add(self, name: str, note: str, failed: bool = False) -> None:
        """Logs the end of an item."""
        (self.failed if failed else self.done).append(name)
        count = len(self.done) + len(self.failed) + self.previously_done
        failures = f', {len(self.failed)} failed' if self.failed else ''
        print(
            f'[{count}/{len(self.costs) + self.previously_done} {self.unit}{failures}{self._remaining()}] '
            f'{name}: {note}',
            flush=True,
        )

    def _remaining(self) -> str:
        finished = sum(self.costs[name] for name in self.done + self.failed)
        seconds = remaining_seconds(finished, sum(self.costs.values()), time.monotonic() - self.start_time)
        return f', {datetime.timedelta(seconds=round(seconds))} to go' if seconds else ''


def remaining_seconds(finished: float, total: float, seconds: float) -> float:
    """Extrapolates the remaining time.

    Args:
        finished: Cost of what is finished.
        total: Cost of everything.
        seconds: Time that the finished part took.
    """
    return (total - finished) * seconds / finished
