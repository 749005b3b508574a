"""Class names of a config: their type, their spelling, and the sizes of heads."""

import difflib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmssl_geo.utils.errors import UserError

from .datasets import CLASSIFICATION, LabelledDataset
from .files import some

MISNAMED = ('CLASSES', 'class', 'class_names', 'category', 'categories', 'names', 'labels')
"""Keys of `metainfo` that look like `classes` and are ignored."""
OTHER_HEADS = ('rpn_head', 'semantic_head')
"""Parts of a detector whose classes are not those of the objects."""


def class_names(dataset: LabelledDataset) -> tuple[str, ...]:
    """Returns the class names of the config, of the data set's class, or (mmpretrain) of the data; () if unknown.

    Raises:
        UserError: If `metainfo` is not a dict, or its `classes` are not a sequence of different names.
    """
    metainfo = dataset.cfg.get('metainfo')
    where = f'{dataset.split}_dataloader.dataset.metainfo'
    if 'classes' in dataset.cfg and 'classes' not in inspect.signature(dataset.kind).parameters:
        raise UserError(f'{where[:-9]}.classes is not an argument of {dataset.name}: write metainfo=dict(classes=...)')
    if metainfo is not None and not isinstance(metainfo, Mapping):
        raise UserError(f'{where} must be a dict such as dict(classes=(...)), got a {type(metainfo).__name__}')
    wrong = [key for key in MISNAMED if key in (metainfo or {})]
    if wrong and 'classes' not in (metainfo or {}):
        raise UserError(f'{where} has {wrong[0]!r}, which is ignored: name it classes')
    names = (metainfo or {}).get('classes')
    if names is not None:
        names = _checked(names, f'{where}.classes')
        _check_palette((metainfo or {}).get('palette'), names, f'{where}.palette')
        return names
    names = getattr(dataset.kind, 'METAINFO', {}).get('classes')
    if names is None and dataset.scope == CLASSIFICATION:
        folders = dataset.class_folders
        names = dataset.built.metainfo.get('classes') if folders is None else folders
    return tuple(names or ())


def _checked(names: Any, where: str) -> tuple[str, ...]:  # noqa: ANN401  (a value of a config)
    if isinstance(names, str):
        if Path(names).is_file():  # mmengine reads the names, one a line
            return _checked([line.rstrip('\r\n') for line in Path(names).read_text().splitlines()], where)
        raise UserError(
            f'{where} is the text {names!r}, each character of which would be a class: write ({names!r},) with a '
            'comma for one class'
        )
    if not isinstance(names, list | tuple):
        raise UserError(f'{where} must be a tuple of names, got a {type(names).__name__}')
    if not names:
        raise UserError(f'{where} is empty: name the classes of the data')
    for name in names:
        if not isinstance(name, str):
            raise UserError(f'{where} must be a flat tuple of names, but contains {name!r}')
        if not name.strip():
            raise UserError(f'{where} contains an empty name')
    repeated = [name for name in dict.fromkeys(names) if list(names).count(name) > 1]
    if repeated:
        raise UserError(f'{where} contains {some(repeated, quoted=True)} more than once')
    return tuple(names)


def _check_palette(palette: Any, names: Sequence[str], where: str) -> None:  # noqa: ANN401
    if palette is None or palette == 'random':
        return
    rows = palette if isinstance(palette, list | tuple) else ()
    if palette and not (rows and all(isinstance(row, list | tuple) and len(row) == 3 for row in rows)):
        raise UserError(f'{where} must be a list of colours [red, green, blue]')
    if rows and len(rows) != len(names):
        raise UserError(f'{where} has {len(rows)} colours for {len(names)} classes')


def name_differences(classes: Sequence[str], names: Sequence[str]) -> list[str]:
    """Compares the classes of a config with those of the data.

    Args:
        classes: Names of the config.
        names: Names of the data, in the order of their labels.

    Returns:
        At most one sentence, such as "wrong class list: the file has no 'bolts' (but 'bolt')".
    """
    missing, extra = [one for one in classes if one not in names], [one for one in names if one not in classes]
    parts = []
    if missing:
        parts.append(f'the file has no {some([_with_near(name, extra) for name in missing])}')
    if extra:
        parts.append(f'the config has no {some([repr(name) for name in extra])}')
    if missing and len(missing) == len(classes) > 1 and extra:
        parts.append(f'set metainfo classes to {_tuple(names)}')
    elif missing:
        parts.append('name the metainfo classes as in the file')
    elif extra:
        parts.append('add it, or set default_hooks.annotations.allow_subset=True to leave it out')
    elif list(names) != list(classes):
        parts.append(f'the config has them in another order than the file, which is {_tuple(names)}')
    return [f'wrong class list: {"; ".join(parts)}'] if parts else []


def _with_near(name: str, others: Sequence[str]) -> str:
    def plain(text: str) -> str:
        return ''.join(char for char in text.lower() if char.isalnum())

    near = [one for one in others if plain(one) == plain(name)] or difflib.get_close_matches(name, others, 1, 0.75)
    return f'{name!r} (but {near[0]!r})' if near else repr(name)


def _tuple(names: Sequence[str], limit: int = 20) -> str:
    shown = ', '.join(map(repr, names[:limit]))
    return f'({shown}{", ..." if len(names) > limit else "," if len(names) == 1 else ""})'


def head_problems(model: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Compares every `num_classes` in the config of a model with the number of class names."""
    by_number: dict[int, list[str]] = {}
    for key, number in _numbers_of_classes(model, 'model'):
        if number != len(names):
            by_number.setdefault(number, []).append(key)
    return [
        f'wrong class list: the model has {number} classes ({some(keys)}), the data {len(names)} ({some(names)}); set '
        f'num_classes={len(names)} there, or metainfo classes'
        for number, keys in sorted(by_number.items())
    ] + _weight_problems(model, names)


def _numbers_of_classes(node: object, key: str) -> Iterator[tuple[str, int]]:
    if isinstance(node, Mapping):
        if key.split('.')[-1] in OTHER_HEADS:
            return
        if isinstance(node.get('num_classes'), int) and not (node.get('class_agnostic') and node['num_classes'] == 1):
            yield f'{key}.num_classes', node['num_classes']
        for name, value in node.items():
            yield from _numbers_of_classes(value, f'{key}.{name}')
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from _numbers_of_classes(value, f'{key}.{index}')


def _weight_problems(model: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Compares the class weights of mmseg's losses with the number of class names."""
    problems = []
    for part in ('decode_head', 'auxiliary_head'):
        heads = model.get(part) or ()
        for head in [heads] if isinstance(heads, Mapping) else heads:
            losses = head.get('loss_decode') or ()
            for loss in [losses] if isinstance(losses, Mapping) else losses:
                weights = loss.get('class_weight')
                if isinstance(weights, list | tuple) and len(weights) != len(names):
                    problems.append(
                        f'model.{part}.loss_decode.class_weight has {len(weights)} weights for {len(names)} classes'
                    )
    return problems
