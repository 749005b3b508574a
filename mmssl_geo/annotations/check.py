"""Checks of all labelled data that a downstream config uses."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmengine.config import Config

from mmssl_geo.utils.errors import DATA_ADVICE, UserError

from .classes import class_names, head_problems
from .coco import with_masks
from .datasets import LabelledDataset, datasets_of
from .evaluators import evaluator_problems, has_mask_head, writes_results_only
from .files import MAX_NAMES, some
from .formats import check_of

SPLITS = ('train', 'val', 'test')
SCOPES = ('mmdet', 'mmseg', 'mmpretrain')
"""Packages whose configs are checked."""
READER_ERRORS = (AssertionError, AttributeError, IndexError, KeyError, OSError, RuntimeError, TypeError, ValueError)
"""Exceptions of the libraries' readers for files that they do not support."""


def annotation_problems(cfg: Config, splits: Iterable[str] = SPLITS, allow_subset: bool = False) -> list[str]:
    """Lists what is wrong with the labelled data of a downstream config.

    The files that the config names must exist. Class names are compared between the config, the annotation files (or a
    sample of the label maps), the splits and `num_classes` of the model. Boxes, masks and labels must be such that
    mmdet, mmseg and mmpretrain use them. At most `files.MAX_OPENED` images, label maps and .xml files of a data set
    are opened.

    COCO annotation files stay in memory until `coco.forget_files` is called.

    Args:
        cfg: Config of mmdet, mmseg or mmpretrain with the roots of its data. Others have no problems.
        splits: Splits to check.
        allow_subset: Whether the annotation files may have classes that the config leaves out on purpose.

    Returns:
        One sentence for each problem, without duplicates.
    """
    if cfg.get('default_scope') not in SCOPES:
        return []
    problems: list[str] = []
    names_by_loader: dict[str, tuple[str, ...]] = {}
    for split in splits:
        try:
            datasets = datasets_of(cfg, split)
            if writes_results_only(cfg, split):  # the labels of such a test set are secret
                problems += [problem for one in datasets if not one.is_remote for problem in one.missing_paths()]
                continue
            found = [problem for one in datasets for problem in _problems_of(one, cfg.model, allow_subset)]
            names = [class_names(one) for one in datasets] if not found else []
            names_by_loader |= {f'{split}_dataloader': one for one in names if one}
            if not found and any(one != names[0] for one in names):
                found = [
                    f'{split}_dataloader: its data sets have different classes: {some(list(dict.fromkeys(names)))}'
                ]
            if not found and split != 'train':
                found = evaluator_problems(cfg, split, datasets, len(names[0]) if names else 0)
        except UserError as error:
            found = [str(error)]
        problems += found
    return list(dict.fromkeys(problems or _differences_between(names_by_loader)))


def refuse_problems(problems: Sequence[str]) -> None:
    """Raises a `UserError` with the first problems, if there are any."""
    if problems:
        more = f' (and {len(problems) - MAX_NAMES} more problems)' if len(problems) > MAX_NAMES else ''
        advice = f'. {DATA_ADVICE}' if ': no such ' in problems[0] else ''
        raise UserError('; '.join(problems[:MAX_NAMES]) + more + advice)


def _problems_of(dataset: LabelledDataset, model: Mapping[str, Any], allow_subset: bool) -> list[str]:
    """Checks one data set, and the heads of the model against its classes."""
    if dataset.is_remote:
        return []
    dataset.allow_subset = allow_subset
    if problems := dataset.missing_paths():
        return problems
    try:
        names, check = class_names(dataset), check_of(dataset)
        if check and not names and dataset.scope != 'mmpretrain':
            return [f'the config sets no classes for its {dataset.name} (metainfo)']
        problems = check(dataset, names) if check else []
    except UserError as error:
        return [str(error)]
    except READER_ERRORS as error:
        return [f'{dataset.name} in {dataset.root}: {type(error).__name__}: {error}']
    if problems:
        return problems
    return (head_problems(model, names) if names else []) + _mask_problem(model, dataset)


def _mask_problem(model: Mapping[str, Any], dataset: LabelledDataset) -> list[str]:
    """Compares the masks that the pipeline of the training data reads with those that the model needs."""
    if dataset.scope != 'mmdet' or dataset.split != 'train' or not dataset.steps_of('LoadAnnotations'):
        return []
    if has_mask_head(model) and not with_masks(dataset.steps):
        return [
            'the model has a mask head, but LoadAnnotations of train_dataloader reads no masks: set with_mask=True, or '
            'use a config without masks (faster-rcnn_*)'
        ]
    return []


def _differences_between(names_by_loader: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Compares the class names of the splits; returns the first difference."""
    loaders = list(names_by_loader)
    for loader in loaders[1:]:
        first, own = names_by_loader[loaders[0]], names_by_loader[loader]
        missing, extra = [one for one in first if one not in own], [one for one in own if one not in first]
        parts = [f'{loader} has no {some(missing, quoted=True)}'] if missing else []
        parts += [f'{loaders[0]} has no {some(extra, quoted=True)}'] if extra else []
        if not parts and own != first:
            parts = [f'{loader} has the classes in another order than {loaders[0]}']
        if parts:
            return [f'wrong class list: {"; ".join(parts)}; set metainfo classes, or name the folders, alike']
    return []
