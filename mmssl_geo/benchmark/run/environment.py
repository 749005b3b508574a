"""Description of what a result was computed with: versions, hardware, git state, command line."""

import datetime
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from mmengine.utils.dl_utils import collect_env

from mmssl_geo.utils.paths import resource_root
from mmssl_geo.utils.versions import MINIMUM, installed_version
from mmssl_geo.version import __version__


def describe_environment() -> dict[str, Any]:
    """Returns a description of the environment, as JSON values."""
    versions = {name: installed_version(name) for name in MINIMUM}
    collected = collect_env()
    return dict(
        time=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'),
        command=shlex.join([sys.executable, *sys.argv]),
        folder=os.getcwd(),
        mmssl_geo=__version__,
        **git_state(),
        python=sys.version,
        platform=platform.platform(),
        processor=_processor(),
        cores=os.cpu_count(),
        gpus=[torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        versions=versions,
        **{name: str(collected[name]) for name in ('CUDA_HOME', 'NVCC', 'GCC') if name in collected},
    )


def git_state(folder: Path | None = None) -> dict[str, str | bool | None]:
    """Returns the commit of a checkout and whether its files differ from it.

    Args:
        folder: Root of the checkout; None: the root of this project. The values are None if it is not a checkout.
    """
    folder = folder or resource_root()
    top = _git(folder, 'rev-parse', '--show-toplevel')  # an installed package may be inside another checkout
    commit = _git(folder, 'rev-parse', 'HEAD') if top and os.path.samefile(top, folder) else None
    return dict(git_commit=commit, git_dirty=None if commit is None else bool(_git(folder, 'status', '--porcelain')))


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(['git', '-C', str(folder), *arguments], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _processor() -> str:
    try:
        with open('/proc/cpuinfo') as file:
            return next(line.split(':')[1].strip() for line in file if line.startswith('model name'))
    except (OSError, StopIteration):
        return platform.processor()
