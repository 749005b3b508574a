"""Metrics of a config: whether they fit the data and the model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from .coco import read_coco
from .datasets import LabelledDataset


def evaluator_problems(cfg: Config, split: str, datasets: Sequence[LabelledDataset], num_classes: int) -> list[str]:
    """Checks the metrics of a split.

    Args:
        cfg: Config.
        split: 'val' or 'test'.
        datasets: Data sets of the split.
        num_classes: Number of class names, 0 if unknown.
    """
    problems = []
    for metric in _metrics(cfg, split):
        name = str(metric.get('type')).split('.')[-1]
        if name == 'CocoMetric':
            problems += _coco_problems(cfg, split, metric, datasets)
        elif name == 'Accuracy' and num_classes:
            largest = max(_as_list(metric.get('topk', 1)))
            if largest > num_classes:
                problems.append(
                    f'{split}_evaluator.topk asks for the best {largest} of {num_classes} classes: set topk=(1,)'
                )
    return problems


def writes_results_only(cfg: Config, split: str) -> bool:
    """Returns whether the metrics of a split write predictions to files and need no annotations."""
    metrics = _metrics(cfg, split)
    return bool(metrics) and all(metric.get('format_only') for metric in metrics)


def _metrics(cfg: Config, split: str) -> list[Mapping[str, Any]]:
    evaluator = cfg.get(f'{split}_evaluator') or ()
    return [evaluator] if isinstance(evaluator, Mapping) else list(evaluator)


def _coco_problems(
    cfg: Config, split: str, metric: Mapping[str, Any], datasets: Sequence[LabelledDataset]
) -> list[str]:
    if 'segm' in _as_list(metric.get('metric', 'bbox')) and not has_mask_head(cfg.model):
        return [f"{split}_evaluator.metric has 'segm', but the model predicts no masks: set metric='bbox'"]
    if not metric.get('ann_file') or '://' in metric['ann_file']:
        return []
    path = Path(metric['ann_file'])
    if not path.is_file():
        return [f'{path}: no such file']
    coco = read_coco(path)
    without = sum('iscrowd' not in one for one in coco.annotations)
    if without:
        return [
            f"{path}: {without} of {len(coco.annotations)} annotations have no 'iscrowd', which COCO's metric "
            'reads: add "iscrowd": 0'
        ]
    if len(datasets) != 1 or not datasets[0].is_a('CocoDataset'):
        return []
    own = datasets[0].path('ann_file')
    if own.resolve() == path.resolve() or not own.is_file():
        return []
    missing = [key for key in read_coco(own).images if key not in coco.images]
    if missing:
        return [
            f'{split}_evaluator.ann_file {path} lacks {len(missing)} of the images of {own}, on which the model is '
            'evaluated: set both alike'
        ]
    return []


def has_mask_head(model: Mapping[str, Any]) -> bool:
    """Returns whether the config of a model has a part that predicts masks."""
    if any('mask_head' in str(key) and value for key, value in model.items()):
        return True
    return _predicts_masks(model) or any(has_mask_head(value) for value in model.values() if isinstance(value, Mapping))


def _predicts_masks(part: Mapping[str, Any]) -> bool:
    """Returns whether a part is of a type for instance masks without `mask_head`, such as Mask2Former or SOLO."""
    kind = str(part.get('type'))
    return any(word in kind for word in ('Mask', 'SOLO', 'YOLACT', 'CondInst', 'RTMDetIns', 'SCNet', 'Panoptic'))


def _as_list(value: Any) -> list[Any]:  # noqa: ANN401  (a value of a config)
    return list(value) if isinstance(value, list | tuple) else [value]
