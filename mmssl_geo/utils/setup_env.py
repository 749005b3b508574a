"""Registration of the package's modules, as in the other OpenMMLab packages."""

import functools
import importlib
import logging
from typing import Any

ONEDL_NOTICE = 'Could not import OneDL'


def register_all_modules(init_default_scope: bool = True) -> None:
    """Registers all modules of this package, as `custom_imports` in a config does.

    Args:
        init_default_scope: Whether to make `mmssl_geo` the default scope, in which registries look up names that have
            no scope.
    """
    for package in ('datasets', 'engine', 'models'):
        importlib.import_module(f'mmssl_geo.{package}')
    if init_default_scope:
        importlib.import_module('mmengine.registry').init_default_scope('mmssl_geo')


def hide_onedl_notice() -> None:
    """Hides a notice that the maintained forks of mmpretrain, mmdet and mmseg print when they are imported.

    They log it at level DEBUG but without a logger, so that `mmengine.logging.print_log` prints it. Other messages are
    not affected.
    """
    mm_logging: Any = importlib.import_module('mmengine.logging')
    print_log = mm_logging.print_log
    if hasattr(print_log, '__wrapped__'):
        return

    @functools.wraps(print_log)
    def print_log_without_notice(msg: object, logger: Any = None, level: int = logging.INFO) -> None:  # noqa: ANN401
        if logger is not None or not str(msg).startswith(ONEDL_NOTICE):
            print_log(msg, logger, level)

    mm_logging.print_log = print_log_without_notice
