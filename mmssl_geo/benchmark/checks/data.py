"""Is the data of a config there, and are its classes the config's? Everything that is wrong is named."""
import importlib
import json
from functools import cache
from pathlib import Path

from mmengine.registry import DefaultScope

from mmssl_geo.utils.errors import UserError

from .dataset_kinds import CHECKS, SHOWN, missing_files

CLASSIFICATION = 'mmpretrain'


def data_problems(cfg):
    """What is wrong with the data of a downstream config.

    All files that lists, annotation files and image folders name have to be there; classes are compared with the
    annotation file, or with a sample of label maps, and with the model's `num_classes`.

    Args:
        cfg: of mmdet, mmseg or mmpretrain, its roots filled in.

    Returns:
        list[str]: a sentence each, without repetition.
    """
    problems = []
    for split in ('train', 'val', 'test'):
        loader = cfg.get(f'{split}_dataloader')
        for dataset in _leaves(loader.dataset.to_dict()) if loader else ():
            text = json.dumps(dataset, default=str, sort_keys=True)
            problems += _dataset_problems(text, cfg.default_scope) or _head_problems(cfg.model, text, cfg.default_scope)
    for evaluator in (cfg.get('val_evaluator'), cfg.get('test_evaluator')):
        ann_file = evaluator.get('ann_file') if isinstance(evaluator, dict) else None
        if ann_file and not Path(ann_file).is_file():
            problems.append(f'{ann_file}: no such file')
    return list(dict.fromkeys(problems))


def _leaves(dataset):
    """The data sets inside of wrappers."""
    inner = dataset.get('datasets') or ([dataset['dataset']] if 'dataset' in dataset else None)
    return [dataset] if inner is None else [leaf for one in inner for leaf in _leaves(one)]


def _kind(dataset, scope):
    return importlib.import_module(f'{scope}.registry').DATASETS.get(dataset['type'])


@cache
def _built(dataset_json, scope):
    """A data set of labelled images; its class reads the lists."""
    dataset = json.loads(dataset_json)
    kind = _kind(dataset, scope)
    with DefaultScope.overwrite_default_scope(scope):
        return kind(**{name: value for name, value in dataset.items() if name != 'type'} | {'pipeline': []})


def _classes(dataset_json, scope):
    """Class names: the config's, else those that the data set's class knows or finds."""
    dataset = json.loads(dataset_json)
    names = (dataset.get('metainfo') or {}).get('classes') or _kind(dataset, scope).METAINFO.get('classes')
    if names is None and scope == CLASSIFICATION:
        names = _built(dataset_json, scope).metainfo.get('classes')
    return tuple(names) if names else None


@cache
def _dataset_problems(dataset_json, scope):
    """Once for every data set, however many tasks and inits use it."""
    dataset = json.loads(dataset_json)
    paths = _paths(dataset)
    problems = [f'{path}: no such {what}' for path, what in paths.values()
                if not (path.is_dir() if what == 'folder' else path.is_file())]
    if problems:
        return problems[:1] if not paths['data_root'][0].is_dir() else problems
    try:
        if scope == CLASSIFICATION:
            images = [Path(one['img_path']) for one in _built(dataset_json, scope).load_data_list()]
            return missing_files(images, f'images of {dataset.get("ann_file") or dataset.get("data_prefix")}')
        kind, classes = _kind(dataset, scope), _classes(dataset_json, scope)
        if not classes:
            return [f'the config names no classes of its {dataset["type"]} (metainfo)']
        ancestors = {one.__name__ for one in kind.__mro__}
        check = next((check for name, check in CHECKS.items() if name in ancestors), None)
        return check(dataset, kind, {name: path for name, (path, _) in paths.items()}, classes) if check else []
    except (UserError, ValueError, KeyError, TypeError, OSError, RuntimeError) as error:  # of libraries' readers
        return [f'{dataset["type"]} in {paths["data_root"][0]}: {type(error).__name__}: {error}']


def _paths(dataset):
    """Name -> (path, 'file' or 'folder') of all that a data set's config points to."""
    root = Path(dataset.get('data_root') or '')
    prefixes = dataset.get('data_prefix') or {}
    prefixes = prefixes if isinstance(prefixes, dict) else {'img': prefixes}
    paths = {'data_root': (root, 'folder')}
    paths.update({name: (root / prefix, 'folder') for name, prefix in prefixes.items() if prefix is not None})
    if dataset.get('ann_file'):
        paths['ann_file'] = root / dataset['ann_file'], 'file'
    return paths


def _head_problems(model, dataset_json, scope):
    classes = _classes(dataset_json, scope)
    wrong = sorted(number for number in _numbers_of_classes(model) if number != len(classes))
    there = f'{", ".join(classes[:SHOWN])}{", ..." if len(classes) > SHOWN else ""}'
    return [f'wrong class list: the model has {number} classes, the data {len(classes)} ({there})' for number in wrong]


def _numbers_of_classes(node):
    """All `num_classes` of a model's config."""
    if isinstance(node, dict):
        own = {node['num_classes']} if isinstance(node.get('num_classes'), int) else set()
        return own.union(*map(_numbers_of_classes, node.values()))
    return set().union(*map(_numbers_of_classes, node)) if isinstance(node, (list, tuple)) else set()
