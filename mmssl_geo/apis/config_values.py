"""Values of a config that mmengine takes unchecked: the length of the run, loaders, optimizer and its own hooks."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS

from mmssl_geo.utils.checks import check_counts, check_numbers
from mmssl_geo.utils.errors import UserError

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
INTERVALS = ('interval', 'val_interval', 'max_keep_ckpts')
"""Keys whose value is a positive number, or -1 for 'never' or 'all'."""


def check_values(cfg: Mapping[str, Any]) -> None:
    """Checks the values of a config that mmengine would accept and fail on later, or ignore.

    The classes of this package check their own arguments.

    Args:
        cfg: Config, before anything of it is built.

    Raises:
        UserError: Names the key whose value is impossible.
    """
    _check_loop(cfg)
    for name in LOADERS:
        _check_loader(name, cfg.get(name))
    _check_optimizer(cfg.get('optim_wrapper'))
    for key, hook in _hooks(cfg):
        _check_hook(key, hook)
    seed = (cfg.get('randomness') or {}).get('seed')
    if seed is not None:
        check_counts('randomness', at_least=0, seed=seed)


def _check_loop(cfg: Mapping[str, Any]) -> None:
    train_cfg = cfg.get('train_cfg') or {}
    _check_dict('train_cfg', train_cfg)
    counts = {key: train_cfg[key] for key in ('max_epochs', 'max_iters') if train_cfg.get(key) is not None}
    check_counts('train_cfg', **counts)
    _check_intervals('train_cfg', train_cfg)


def _check_loader(name: str, loader: Any) -> None:  # noqa: ANN401
    if loader is None:
        return
    _check_dict(name, loader)
    if loader.get('batch_size') is not None:
        check_counts(name, batch_size=loader['batch_size'])
    check_counts(name, at_least=0, num_workers=loader.get('num_workers', 0))


def _check_optimizer(wrapper: Any) -> None:  # noqa: ANN401
    if wrapper is None:
        return
    _check_dict('optim_wrapper', wrapper)
    if wrapper.get('accumulative_counts') is not None:
        check_counts('optim_wrapper', accumulative_counts=wrapper['accumulative_counts'])
    clip = wrapper.get('clip_grad')
    if clip is not None:
        _check_dict('optim_wrapper.clip_grad', clip)
        limits = {key: clip[key] for key in ('max_norm', 'clip_value') if key in clip}
        check_numbers('optim_wrapper.clip_grad', above=0, **limits)
    optimizer = wrapper.get('optimizer') or {}
    _check_dict('optim_wrapper.optimizer', optimizer)
    rates = {key: optimizer[key] for key in ('lr', 'weight_decay', 'eta', 'eps') if optimizer.get(key) is not None}
    check_numbers('optim_wrapper.optimizer', at_least=0, **rates)
    if optimizer.get('momentum') is not None:
        check_numbers('optim_wrapper.optimizer', at_least=0, at_most=1, momentum=optimizer['momentum'])
    for beta in optimizer.get('betas') or ():
        check_numbers('optim_wrapper.optimizer', at_least=0, at_most=1, betas=beta)


def _hooks(cfg: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    hooks = cfg.get('default_hooks') or {}
    _check_dict('default_hooks', hooks)
    yield from ((f'default_hooks.{name}', hook) for name, hook in hooks.items())
    yield from ((f'custom_hooks[{index}]', hook) for index, hook in enumerate(cfg.get('custom_hooks') or []))


def _check_hook(key: str, hook: Any) -> None:  # noqa: ANN401
    """Checks intervals, and the names of the arguments, also where a class takes any."""
    if not isinstance(hook, Mapping) or not hook.get('type'):
        return  # None removes a hook; mmengine explains other values
    _check_intervals(key, hook)
    cls = hook['type'] if isinstance(hook['type'], type) else HOOKS.get(hook['type'])
    if not inspect.isclass(cls):
        return
    known, is_open = _arguments(cls)
    if is_open and not issubclass(cls, CheckpointHook):
        return
    for name in hook:
        if name not in known | {'type', '_scope_', 'priority'}:
            raise UserError(f'{key}.{name}: {cls.__name__} has no such argument; its arguments are {_listed(known)}')


def _arguments(cls: type) -> tuple[set[str], bool]:
    """Returns the names of a class's arguments, of its parents' too as long as it passes others on, and if it does."""
    known: set[str] = set()
    for parent in cls.__mro__:
        if '__init__' in vars(parent):
            parameters = inspect.signature(vars(parent)['__init__']).parameters.values()
            known |= {parameter.name for parameter in parameters if parameter.kind in NAMED}
            if not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
                return known - {'self'}, False
    return known - {'self'}, True


def _check_intervals(key: str, values: Mapping[str, Any]) -> None:
    for name in INTERVALS:
        value = values.get(name)
        if value is not None and value != -1:
            check_counts(key, **{name: value})


def _check_dict(key: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise UserError(f'{key} must be a dict, got {value!r}')


def _listed(names: set[str]) -> str:
    return ', '.join(sorted(names))
