"""Reading of configs: overrides of the command line, environment variables, packages."""

import difflib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmssl_geo.engine.runner import DEFAULT_HOOKS
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import check_writable
from mmssl_geo.utils.versions import check_versions

from .config_errors import explain_config_errors
from .config_values import check_values

RUNNER_KEYS = (
    'auto_scale_lr',
    'compile',
    'custom_hooks',
    'experiment_name',
    'load_from',
    'log_level',
    'log_processor',
    'model_wrapper_cfg',
    'param_scheduler',
    'randomness',
    'resume',
    'sync_bn',
    'visualizer',
    'work_dir',
)
"""Keys of mmengine's runner that an override may add to a config."""
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
PACKAGES = {'mmdet': 'mmdet', 'mmseg': 'mmseg', 'mmpretrain': 'mmpretrain', 'mmssl_geo': 'mmpretrain'}
"""Package that a config needs, by its default scope."""
VARIABLES = {'CHECKPOINT': 'model.backbone.init_cfg.checkpoint', 'DATA_ROOT': 'train_dataloader.dataset.data_root'}
"""Environment variables that configs read, with the key to set instead."""


def load_config(
    path: str | Path,
    cfg_options: Mapping[str, Any] | None = None,
    work_dir: str | Path | None = None,
    launcher: str = 'none',
    use_environment: bool = True,
) -> Config:
    """Reads a config and applies the overrides of the command line.

    Args:
        path: Config file.
        cfg_options: Overrides, key -> value.
        work_dir: Folder of logs and checkpoints. None: that of the config, or `work_dirs/<config name>`.
        launcher: How the processes were started.
        use_environment: Whether to refuse the environment variables `CHECKPOINT` and `DATA_ROOT` if they are set and
            the config does not read them.

    Raises:
        UserError: If the file is missing or cannot be read as a config, an override does not fit, a package is missing
            or too old, or an environment variable is not used.
    """
    if not Path(path).is_file():
        raise UserError(f'there is no config file {path}')
    with explain_config_errors(None, 'cannot be used', path):
        cfg = Config.fromfile(path)
        if use_environment:
            _check_variables(cfg, cfg_options or {})
        _override(cfg, cfg_options or {})
        package = PACKAGES.get(cfg.get('default_scope'))
        check_versions([package] if package else [])
    cfg.launcher = launcher
    cfg.work_dir = str(work_dir or cfg.get('work_dir') or Path('work_dirs') / Path(path).stem)
    if cfg.work_dir:
        check_writable(Path(cfg.work_dir) / 'log')
    check_values(cfg)
    adapt_loaders(cfg)
    return cfg


def adapt_loaders(cfg: Config) -> None:
    """Disables `persistent_workers` of loaders without workers, which torch refuses."""
    for loader in LOADERS:
        if cfg.get(loader) and cfg[loader].get('num_workers') == 0:
            cfg[loader].persistent_workers = False


def _override(cfg: Config, cfg_options: Mapping[str, Any]) -> None:
    for key, value in cfg_options.items():
        parts = key.split('.')
        _check_key(f'--cfg-options {key}: the config has no {parts[0]}', parts[0], [*cfg, *RUNNER_KEYS])
        if parts[0] == 'default_hooks' and len(parts) == 2 and value is None:
            hooks = [*cfg.get('default_hooks', {}), *DEFAULT_HOOKS]
            _check_key(f'--cfg-options {key}: the config has no hook {parts[1]}', parts[1], hooks)
    with explain_config_errors(cfg, 'does not fit --cfg-options'):
        cfg.merge_from_dict(dict(cfg_options))


def _check_key(message: str, key: str, known: list[str]) -> None:
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1)
        raise UserError(message + (f'; did you mean {near[0]}?' if near else ''))


def _check_variables(cfg: Config, cfg_options: Mapping[str, Any]) -> None:
    for name, key in VARIABLES.items():
        value = os.environ.get(name)
        if not value:
            continue
        if not _reads(cfg, name, value):
            raise UserError(f'{name}={value} is set, but the config does not use it: unset {name}, or set {key}=...')
        if name == 'CHECKPOINT' and key in cfg_options:
            print(f'--cfg-options {key} takes precedence over CHECKPOINT={value}', file=sys.stderr)


def _reads(cfg: Config, name: str, value: str) -> bool:
    """Returns whether a config reads an environment variable."""
    if name in cfg.env_variables:
        return True
    is_named = re.search(rf"""['"]{name}['"]""", cfg.text)
    folder = value.rstrip('/') + '/'
    return bool(is_named) and any(text == value or text.startswith(folder) for text in _texts(cfg.to_dict()))


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401  (any value of a config)
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
