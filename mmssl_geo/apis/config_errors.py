"""Errors while a config is read, built and trained: mistakes in the config or bugs in the code."""

import contextlib
import linecache
import re
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from mmssl_geo.utils.errors import DATA_ADVICE, UserError

SHIPPED = {'mmcv', 'mmdet', 'mmengine', 'mmpretrain', 'mmseg', 'mmssl_geo', 'torch', 'torchvision'}
"""Packages whose constructors check what a config passes."""
CHECKS = (AssertionError, KeyError, NotImplementedError, TypeError, ValueError)


class _Frame(NamedTuple):
    """A frame of a traceback: name of its module (None: the code of a config) and its source line."""

    module: str | None
    line: str

    def is_in(self, *modules: str) -> bool:
        return self.module is not None and self.module.startswith(modules)


@contextlib.contextmanager
def explain_config_errors(
    cfg: Config | Mapping[str, Any] | None, failure: str, name: str | Path | None = None
) -> Iterator[None]:
    """Turns exceptions of the block into a `UserError` that names the config; a `UserError` stays as it is.

    Args:
        cfg: Config, or None if it has not been read yet.
        failure: What failed, such as 'cannot be built'.
        name: Name of the config in the message. None: its file.

    Raises:
        UserError: One sentence; the original exception is its cause. `show_cause` is set unless the exception is due to
            a mistake in the config (see `is_config_mistake`).
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        contents = cfg.to_dict() if isinstance(cfg, Config) else cfg or {}
        raise _explained(error, contents, name or getattr(cfg, 'filename', None), failure) from error


def is_config_mistake(error: BaseException, cfg: Mapping[str, Any]) -> bool:
    """Returns whether an exception is due to a mistake in a config, and not to a bug in a class or function.

    Mistakes are user errors, missing and unreadable files, errors in the code of the config itself, unknown names in a
    registry, modules of `custom_imports` that do not exist, arguments that a constructor does not take, and values that
    a class of this package or of OpenMMLab refuses.

    Args:
        error: Exception.
        cfg: Contents of the config, to recognise arguments that come from it.
    """
    if isinstance(error, UserError | OSError):
        return True
    error = _origin(error)
    frames = _frames(error)
    if not frames:
        return False
    last = frames[-1]
    if last.module in (None, 'ast') or last.is_in('mmengine.config', 'mmengine.registry'):
        return True
    if isinstance(error, ImportError):
        return last.is_in('mmengine.utils', 'mmssl_geo.utils.versions')
    keyword = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    if isinstance(error, TypeError) and keyword and keyword[1] in _keys(cfg):
        return True
    return isinstance(error, CHECKS) and last.line.startswith(('raise ', 'assert ')) and _is_shipped(frames)


def _explained(error: Exception, cfg: Mapping[str, Any], name: str | Path | None, failure: str) -> UserError:
    if isinstance(error, FileNotFoundError):
        explained = UserError(f'config {name}: {_sentence(error)}. {DATA_ADVICE}')
    else:
        explained = UserError(f'config {name} {failure}: {_sentence(error)}')
    explained.show_cause = not is_config_mistake(error, cfg)
    return explained


def _sentence(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or ['']
    from_worker = lines[0].startswith('Caught ')  # by a data loader, with the traceback in the message
    return lines[-1] if from_worker else f'{type(error).__name__}: {lines[0]}'


def _origin(error: BaseException) -> BaseException:
    """Returns the exception that mmengine replaced by its own while it handled it."""
    while error.__context__ is not None and (frames := _frames(error)) and frames[-1].is_in('mmengine'):
        error = error.__context__
    return error


def _frames(error: BaseException) -> list[_Frame]:
    """Returns the frames from the `try` to the `raise`, without Python's import machinery."""
    found = []
    for frame, number in traceback.walk_tb(error.__traceback__):
        module = frame.f_globals.get('__name__')
        if module is None or not module.startswith('importlib'):
            found.append(_Frame(module, linecache.getline(frame.f_code.co_filename, number).strip()))
    return found


def _is_shipped(frames: list[_Frame]) -> bool:
    """Returns whether the last class that a registry built, and all that it called, is shipped code."""
    built_by = [index for index, frame in enumerate(frames) if frame.is_in('mmengine.registry')]
    return bool(built_by) and all(
        frame.module is not None and frame.module.split('.')[0] in SHIPPED for frame in frames[built_by[-1] :]
    )


def _keys(value: Any) -> set[str]:  # noqa: ANN401  (any value of a config)
    """Returns all keys of nested dicts."""
    if isinstance(value, Mapping):
        return set(value).union(*(_keys(item) for item in value.values()))
    if isinstance(value, list | tuple):
        return set().union(*(_keys(item) for item in value))
    return set()
