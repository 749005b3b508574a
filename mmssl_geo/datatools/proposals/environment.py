"""The environment in which Selective Search runs, apart from this one: opencv-contrib replaces the stack's cv2."""
import subprocess
import sys
from pathlib import Path

from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.paths import resource_root

REQUIREMENTS = ('opencv-contrib-python-headless>=4.8,<6', 'numpy>=1.26,<3', 'pillow>=10.0,<14')
INSTALL = ('-m', 'pip', 'install', '--quiet', '--disable-pip-version-check')
CHECK = ('import cv2, numpy, PIL; cv2.ximgproc.segmentation.createSelectiveSearchSegmentation(); '
         'print(f"cv2 {cv2.__version__}, numpy {numpy.__version__}, Pillow {PIL.__version__}")')


def default_folder():
    """`.venv-proposals` in the checkout; of an installed package, in the current folder."""
    root = resource_root()
    return (Path.cwd() if root.name == '.mim' else root) / '.venv-proposals'


def search_python(folder, say=print):
    """Interpreter of the environment; one that is missing or incomplete is made or completed.

    Args:
        folder: the environment's folder.
        say: takes a line about what is being done.

    Returns:
        Path of the interpreter, and the versions found (one line).

    Raises:
        UserError: it cannot be made, or does not work; with the commands that make it by hand.
    """
    folder = Path(folder).absolute()
    python = folder / 'bin' / 'python'
    versions = _versions(python) if python.is_file() else ''
    if not versions:
        _make(folder, python, say)
        versions = _versions(python)
    if not versions:
        raise UserError(f'the environment {folder} has been made, but cv2.ximgproc does not work there; see why: '
                        f"{python} -I -c '{CHECK}'")
    say(f'Selective Search runs in {folder}: {versions}')
    return python, versions


def _versions(python):
    done = subprocess.run([str(python), '-I', '-c', CHECK], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ''


def _make(folder, python, say):
    if folder.exists() and not (folder / 'pyvenv.cfg').is_file() and any(folder.iterdir()):
        raise UserError(f'{folder} is not empty and no virtual environment: give another --ss-env')
    by_hand = (f'{sys.executable} -m venv {folder} && {python} -m pip install ' +
               ' '.join(f"'{requirement}'" for requirement in REQUIREMENTS))
    say(f'making an environment for Selective Search in {folder} (about 300 MB, once): {by_hand}')
    try:
        for command in ((sys.executable, '-m', 'venv', folder), (python, *INSTALL, *REQUIREMENTS)):
            subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(f'the environment for Selective Search cannot be made ({_last_line(error)}); with a network, '
                        f'by hand: {by_hand}; then give it as --ss-env {folder}; '
                        '--method grid needs no environment') from error


def _last_line(error):
    text = getattr(error, 'stderr', None) or getattr(error, 'stdout', None) or str(error)
    return text.strip().splitlines()[-1]
