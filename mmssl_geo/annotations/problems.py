"""Checks of the data of a downstream config: missing files and wrong class lists."""

import importlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmssl_geo.utils.errors import UserError

from .formats import CHECKS, MAX_NAMES, missing_files

CLASSIFICATION = 'mmpretrain'


def data_problems(cfg: Config, splits: Sequence[str] = ('train', 'val', 'test')) -> list[str]:
    """Lists what is wrong with the data of a downstream config.

    All files in lists, annotation files and image folders must exist. The classes are compared with the annotation
    file, or with a sample of label maps, and with `num_classes` of the model.

    Args:
        cfg: Config of mmdet, mmseg or mmpretrain with the roots of its data.
        splits: Splits to check, out of 'train', 'val' and 'test'.

    Returns:
        One sentence for each problem, without duplicates.
    """
    problems = []
    for split in splits:
        loader = cfg.get(f'{split}_dataloader')
        for dataset in _unwrap(loader.dataset.to_dict()) if loader else ():
            text = json.dumps(dataset, default=str, sort_keys=True)
            problems += _dataset_problems(text, cfg.default_scope) or _head_problems(cfg.model, text, cfg.default_scope)
    for split in splits:
        evaluator = cfg.get(f'{split}_evaluator')
        ann_file = evaluator.get('ann_file') if isinstance(evaluator, dict) else None
        if ann_file and not Path(ann_file).is_file():
            problems.append(f'{ann_file}: no such file')
    return list(dict.fromkeys(problems))


def _unwrap(dataset: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the data sets inside wrappers such as ConcatDataset and RepeatDataset."""
    inner = dataset.get('datasets') or ([dataset['dataset']] if 'dataset' in dataset else None)
    return [dataset] if inner is None else [leaf for one in inner for leaf in _unwrap(one)]


def _class(dataset: dict[str, Any], scope: str) -> Any:  # noqa: ANN401  (a class of OpenMMLab)
    return importlib.import_module(f'{scope}.registry').DATASETS.get(dataset['type'])


@cache
def _build(dataset_json: str, scope: str) -> Any:  # noqa: ANN401  (a data set of OpenMMLab)
    """Builds a data set of labelled images, whose class reads the lists."""
    dataset = json.loads(dataset_json)
    kind = _class(dataset, scope)
    with DefaultScope.overwrite_default_scope(scope):
        return kind(**{name: value for name, value in dataset.items() if name != 'type'} | {'pipeline': []})


def _class_names(dataset_json: str, scope: str) -> tuple[str, ...]:
    """Returns the class names of the config, of the data set's class, or of the data."""
    dataset = json.loads(dataset_json)
    names = (dataset.get('metainfo') or {}).get('classes') or _class(dataset, scope).METAINFO.get('classes')
    if names is None and scope == CLASSIFICATION:
        names = _build(dataset_json, scope).metainfo.get('classes')
    return tuple(names or ())


@cache
def _dataset_problems(dataset_json: str, scope: str) -> list[str]:
    """Checks each data set once, even if several tasks use it."""
    dataset = json.loads(dataset_json)
    problems = _metainfo_problems(dataset)
    if problems:
        return problems
    paths = _paths(dataset)
    problems = [
        f'{path}: no such {what}'
        for path, what in paths.values()
        if not (path.is_dir() if what == 'folder' else path.is_file())
    ]
    if problems:
        return problems[:1] if not paths['data_root'][0].is_dir() else problems
    try:
        if scope == CLASSIFICATION:
            images = [Path(one['img_path']) for one in _build(dataset_json, scope).load_data_list()]
            return missing_files(images, f'images of {dataset.get("ann_file") or dataset.get("data_prefix")}')
        kind, names = _class(dataset, scope), _class_names(dataset_json, scope)
        if not names:
            return [f'the config sets no classes for its {dataset["type"]} (metainfo)']
        ancestors = {one.__name__ for one in kind.__mro__}
        check = next((check for name, check in CHECKS.items() if name in ancestors), None)
        return check(dataset, kind, {name: path for name, (path, _) in paths.items()}, names) if check else []
    except (UserError, ValueError, KeyError, TypeError, OSError, RuntimeError) as error:  # from readers of libraries
        return [f'{dataset["type"]} in {paths["data_root"][0]}: {type(error).__name__}: {error}']


def _metainfo_problems(dataset: dict[str, Any]) -> list[str]:
    """Checks the type of the class list; a text would count as a list of characters."""
    metainfo = dataset.get('metainfo')
    if metainfo is None:
        return []
    if not isinstance(metainfo, dict):
        return [f'metainfo must be a dict such as dict(classes=("cat", "dog")), got {metainfo!r}']
    classes = metainfo.get('classes')
    if classes is None:
        return []
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        return [f'metainfo.classes must be a tuple or a list of names, such as ("cat",), got {classes!r}']
    repeated = sorted({name for name in classes if classes.count(name) > 1})
    return [f'metainfo.classes names {repeated[0]} twice'] if repeated else []


def _paths(dataset: dict[str, Any]) -> dict[str, tuple[Path, str]]:
    """Maps the name of each path in a data set's config to the path and its kind, 'file' or 'folder'."""
    root = Path(dataset.get('data_root') or '')
    prefixes = dataset.get('data_prefix') or {}
    prefixes = prefixes if isinstance(prefixes, dict) else {'img': prefixes}
    paths = {'data_root': (root, 'folder')}
    paths.update({name: (root / prefix, 'folder') for name, prefix in prefixes.items() if prefix is not None})
    if dataset.get('ann_file'):
        paths['ann_file'] = root / dataset['ann_file'], 'file'
    return paths


def _head_problems(model: dict[str, Any], dataset_json: str, scope: str) -> list[str]:
    names = _class_names(dataset_json, scope)
    wrong = sorted(number for number in _values_of_num_classes(model) if number != len(names))
    shown = f'{", ".join(names[:MAX_NAMES])}{", ..." if len(names) > MAX_NAMES else ""}'
    return [f'wrong class list: the model has {number} classes, the data {len(names)} ({shown})' for number in wrong]


def _values_of_num_classes(node: object) -> set[int]:
    """Collects all values of `num_classes` in a model's config."""
    if isinstance(node, dict):
        own = {node['num_classes']} if isinstance(node.get('num_classes'), int) else set()
        return own.union(*map(_values_of_num_classes, node.values()))
    return set().union(*map(_values_of_num_classes, node)) if isinstance(node, (list, tuple)) else set()
