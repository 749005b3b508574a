"""The separate environment of Selective Search: opencv-contrib would replace the cv2 of the main environment."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.paths import resource_root

REQUIREMENTS = ('opencv-contrib-python-headless>=4.8,<6', 'numpy>=1.26,<3', 'pillow>=10.0,<14')
INSTALL = ('-m', 'pip', 'install', '--quiet', '--disable-pip-version-check')
CHECK = (
    'import cv2, numpy, PIL; cv2.ximgproc.segmentation.createSelectiveSearchSegmentation(); '
    'print(f"cv2 {cv2.__version__}, numpy {numpy.__version__}, Pillow {PIL.__version__}")'
)


def default_folder() -> Path:
    """Returns `.venv-proposals` in the checkout, or in the current folder for an installed package."""
    root = resource_root()
    return (Path.cwd() if root.name == '.mim' else root) / '.venv-proposals'


def search_python(folder: str | os.PathLike, log: Callable[[str], None] = print) -> tuple[Path, str]:
    """Returns the interpreter of the environment; creates or completes the environment if needed.

    Args:
        folder: Folder of the environment.
        log: Called with every line of the report.

    Returns:
        Path of the interpreter, and one line with the installed versions.

    Raises:
        UserError: If the environment cannot be created or does not work; gives the commands to create it by hand.
    """
    folder = Path(folder).absolute()
    python = folder / 'bin' / 'python'
    versions = _versions(python) if python.is_file() else ''
    if not versions:
        _make(folder, python, log)
        versions = _versions(python)
    if not versions:
        raise UserError(
            f'the environment {folder} was created, but cv2.ximgproc does not work there; to see why, run '
            f"{python} -I -c '{CHECK}'"
        )
    log(f'Selective Search runs in {folder}: {versions}')
    return python, versions


def _versions(python: Path) -> str:
    done = subprocess.run([str(python), '-I', '-c', CHECK], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ''


def _make(folder: Path, python: Path, log: Callable[[str], None]) -> None:
    if folder.exists() and not (folder / 'pyvenv.cfg').is_file() and any(folder.iterdir()):
        raise UserError(f'{folder} is neither empty nor a virtual environment: pass another --ss-env')
    by_hand = f'{sys.executable} -m venv {folder} && {python} -m pip install ' + ' '.join(
        f"'{requirement}'" for requirement in REQUIREMENTS
    )
    log(f'creating an environment for Selective Search in {folder} (about 300 MB, once): {by_hand}')
    try:
        for command in ((sys.executable, '-m', 'venv', folder), (python, *INSTALL, *REQUIREMENTS)):
            subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(
            f'the environment of Selective Search cannot be created ({_last_line(error)}); create it '
            f'by hand on a machine with a network: {by_hand}; then pass --ss-env {folder}; '
            '--method grid needs no environment'
        ) from error


def _last_line(error: Exception) -> str:
    text = getattr(error, 'stderr', None) or getattr(error, 'stdout', None) or str(error)
    return text.strip().splitlines()[-1]
