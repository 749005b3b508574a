"""Where jobs run: GPUs, shares of the CPU, or a Slurm partition; and the commands for it."""
import os
import shlex
import sys
from dataclasses import dataclass

import torch

from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.paths import resource_root
from mmssl_geo.utils.subprocesses import tool

MAX_CPU_JOBS = 4  # by default
FIRST_PORT = 29500


@dataclass(frozen=True)
class Worker:
    """Room for one job at a time.

    Attributes:
        number: from 0.
        gpus: what CUDA_VISIBLE_DEVICES is set to; '' runs on the CPU, None leaves it to Slurm.
        processes: of one training.
        threads: of each process.
        partition: of Slurm, or None.
    """
    number: int
    gpus: str = ''
    processes: int = 1
    threads: int = 1
    partition: str = None

    @property
    def environment(self):
        """Variables of a job here."""
        port = int(os.environ.get('PORT', FIRST_PORT)) + self.number
        own = dict(PORT=str(port), PYTHON=sys.executable)
        if self.partition is not None:
            return {**own, 'GPUS': str(self.processes), 'GPUS_PER_NODE': str(min(8, self.processes))}
        threads = str(self.threads)
        return {**own, 'CUDA_VISIBLE_DEVICES': self.gpus, 'OMP_NUM_THREADS': threads, 'MKL_NUM_THREADS': threads}

    def train_command(self, config, work_dir, name, resume=None):
        """`tools/train.py`, by the launcher that fits."""
        tools = resource_root() / 'tools'
        if self.partition is not None:
            command = ['bash', tools / 'slurm_train.sh', self.partition, name, config, work_dir]
        elif self.processes > 1:
            command = ['bash', tools / 'dist_train.sh', config, self.processes, '--work-dir', work_dir]
        else:
            command = tool('train.py', config, '--work-dir', work_dir)
        return [*map(str, command), *(['--resume', str(resume)] if resume else [])]

    def single_command(self, command):
        """A command that needs one device."""
        if self.partition is None:
            return command
        own = shlex.split(os.environ.get('SRUN_ARGS', ''))
        return ['srun', '-p', self.partition, '--gres=gpu:1', '--ntasks=1', *own, *command]


def visible_gpus():
    """Numbers of the GPUs that this process may use, as strings."""
    named = os.environ.get('CUDA_VISIBLE_DEVICES')
    count = torch.cuda.device_count()
    return named.split(',')[:count] if named else [str(number) for number in range(count)]


def make_workers(gpus=None, jobs=None, gpus_per_job=1, partition=None, visible=(), cores=1):
    """Slots of this machine, or of Slurm.

    Args:
        gpus: their numbers, as strings; None: all that are visible, unless `jobs` is given.
        jobs: how many at the same time on the CPU (under Slurm: in its queue).
        gpus_per_job: processes of one training on GPUs.
        partition: of Slurm.
        visible: numbers of this machine's GPUs.
        cores: how many it has.

    Raises:
        UserError: a number that does not fit.
    """
    for option, value in (('--jobs', jobs), ('--gpus-per-job', gpus_per_job)):
        if value is not None and value < 1:
            raise UserError(f'{option} has to be at least 1')
    if partition is not None:
        return [Worker(number, None, gpus_per_job, partition=partition) for number in range(jobs or 1)]
    if gpus is None and jobs is None:
        gpus = list(visible)
    if unknown := [gpu for gpu in gpus or () if gpu not in visible]:
        raise UserError(f'--gpus {",".join(unknown)}: the GPUs here are {", ".join(visible) or "none"}')
    if gpus:
        if len(gpus) % gpus_per_job:
            raise UserError(f'--gpus-per-job {gpus_per_job} does not divide the {len(gpus)} GPUs {",".join(gpus)}')
        groups = [gpus[first:first + gpus_per_job] for first in range(0, len(gpus), gpus_per_job)]
        threads = max(1, cores // len(gpus))
        return [Worker(number, ','.join(group), gpus_per_job, threads) for number, group in enumerate(groups)]
    if gpus_per_job > 1:
        raise UserError(f'--gpus-per-job {gpus_per_job} needs GPUs; none are used here')
    jobs = jobs or min(cores, MAX_CPU_JOBS)
    return [Worker(number, threads=max(1, cores // jobs)) for number in range(jobs)]
