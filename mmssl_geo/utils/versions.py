"""Versions of torch and the OpenMMLab packages.

The original distributions and their maintained forks share import names; only the imported package is checked.
"""

import importlib
import importlib.metadata
import importlib.util
import re
import traceback
from collections.abc import Collection, Mapping
from types import ModuleType

MINIMUM = {
    'torch': '2.1',
    'torchvision': '0.16',
    'mmengine': '0.10.3',
    'mmcv': '2.1.0',
    'mmpretrain': '1.2.0',
    'mmdet': '3.3.0',
    'mmseg': '1.2.2',
}
WITH_MODELS = ('mmpretrain', 'mmdet', 'mmseg')


def check_versions(required: Collection[str], versions: Mapping[str, str | None] | None = None) -> None:
    """Checks that packages are installed and new enough.

    Args:
        required: Import names of the packages that must be installed. Only these are imported, those that define models
            with their models.
        versions: Version by import name (None: missing), instead of those of the installed packages.

    Raises:
        ImportError: Names every package that is missing or too old, and what to install; or the installed transformers,
            if a package cannot be imported beside it.
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
            f'mmssl_geo cannot be used here: {"; ".join(faults)}. Run `bash tools/setup_env.sh`, or install the '
            'packages named in requirements.txt (the original OpenMMLab distributions work too).'
        )
    if versions is None:
        for name in required:
            if name in WITH_MODELS:
                _import(f'{name}.models')


def installed_version(name: str) -> str | None:
    """Returns the version of the package imported as `name`, or None if it is not installed.

    Raises:
        ImportError: If the package cannot be imported beside the installed transformers.
    """
    return _import(name).__version__ if importlib.util.find_spec(name) else None


def _import(module: str) -> ModuleType:
    """Imports a package or its models, some of which use transformers if it is installed.

    Beside a transformers that is too new for the package or for torch, the import fails with an error of any type, in
    transformers or because a name of transformers 4 is missing.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:
        transformers = _transformers_version()
        if transformers is None or not (_numbers(transformers) >= (5,) or _is_raised_in(error, 'transformers')):
            raise
        raise ImportError(
            f'{module} cannot be imported beside transformers {transformers}: install an older one (pip install '
            '"transformers<4.49"), or remove it, since neither this package nor its configs need it'
        ) from error


def _is_raised_in(error: Exception, package: str) -> bool:
    modules = [frame.f_globals.get('__name__', '') for frame, _ in traceback.walk_tb(error.__traceback__)]
    return any(module.split('.')[0] == package for module in modules)


def _transformers_version() -> str | None:
    try:
        return importlib.metadata.version('transformers')
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r'\d+', version.split('+')[0])[:3])
