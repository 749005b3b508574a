"""Which OpenMMLab and torch versions are here, and are they new enough.

Both the original distributions and their maintained forks use the same import names; only those are looked at.
"""
import importlib
import importlib.util
import re

MINIMUM = {
    'torch': '2.1',
    'torchvision': '0.16',
    'mmengine': '0.10.3',
    'mmcv': '2.1.0',
    'mmpretrain': '1.2.0',
    'mmdet': '3.3.0',
    'mmseg': '1.2.2',
}


def _numbers(version):
    return tuple(int(n) for n in re.findall(r'\d+', version.split('+')[0])[:3])


def check_stack(required=(), versions=None):
    """Raises if a required package is missing or an installed one is too old.

    Args:
        required: import names that must be there. Others are not looked at, so that nobody pays for a package that
            is not used; `mmssl_geo.apis.train` asks for mmdet or mmseg when a config is theirs.
        versions: for tests, a dict name -> version string (None: missing) in place of the installed packages.

    Raises:
        ImportError: names every package that is missing or too old, and what to install.
    """
    faults = []
    for name in required:
        version = installed_version(name) if versions is None else versions.get(name)
        if version is None:
            faults.append(f'{name} is missing (need >= {MINIMUM[name]})')
        elif _numbers(version) < _numbers(MINIMUM[name]):
            faults.append(f'{name} {version} is too old (need >= {MINIMUM[name]})')
    if faults:
        raise ImportError(
            'mmssl_geo cannot be used here: ' + '; '.join(faults) +
            '. Run `bash tools/setup_env.sh`, or install the packages named in requirements.txt '
            '(the original OpenMMLab distributions serve as well).')


def installed_version(name):
    """Version string of the package imported as `name`, or None if it is not installed."""
    if importlib.util.find_spec(name) is None:
        return None
    return importlib.import_module(name).__version__
