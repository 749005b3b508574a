"""Checks of the files of a data set, by the format of its class in mmdet or mmseg."""

import collections
import inspect
import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from PIL import Image

MAX_NAMES = 3  # in one message
SAMPLE_SIZE = 24  # label maps and annotation files of a split that are opened
IGNORE_LABEL = 255


def missing_files(paths: Sequence[Path], what: str) -> list[str]:
    """Returns a sentence on the files that do not exist, if any. Each folder is listed once."""
    folders: dict[Path, set[str]] = {}
    missing = []
    for path in paths:
        if path.parent not in folders:
            folders[path.parent] = set(os.listdir(path.parent)) if path.parent.is_dir() else set()
        if path.name not in folders[path.parent]:
            missing.append(str(path))
    return [f'{len(missing)} of {len(paths)} {what} are missing: {_some(missing)}'] if missing else []


def _some(words: Sequence[str]) -> str:
    return ', '.join(words[:MAX_NAMES]) + (f', and {len(words) - MAX_NAMES} more' if len(words) > MAX_NAMES else '')


def _sample(paths: Sequence[Path]) -> list[Path]:
    return [paths[index] for index in np.unique(np.linspace(0, len(paths) - 1, SAMPLE_SIZE).astype(int))]


def coco_problems(dataset: dict[str, Any], kind: type, paths: dict[str, Path], classes: Sequence[str]) -> list[str]:
    """Checks a COCO annotation file and its images.

    The classes of the file must be those of the config. Objects need boxes, and masks if the pipeline reads them.
    """
    try:
        content = json.loads(paths['ann_file'].read_text())
        ids = {one['id']: one['name'] for one in content['categories']}
        categories = [one['name'] for one in content['categories']]
        images = {one['id']: paths['img'] / one['file_name'] for one in content['images']}
        objects = [one for one in content['annotations'] if one['image_id'] in images and one['bbox']]
        found = [text for text in (_repeated(content), _misfits(content, set(images), set(ids))) if text]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return [f'{paths["ann_file"]}: not a COCO annotation file ({type(error).__name__}: {error})']
    missing, extra = (
        [one for one in classes if one not in categories],
        [one for one in categories if one not in classes],
    )
    differences = [
        text
        for text in (missing and f'the file has no {_some(missing)}', extra and f'the config has no {_some(extra)}')
        if text
    ]
    problems = found + ([f'wrong class list: {"; ".join(differences)}'] if differences else [])
    problems += [] if objects else ['none of its images has an annotation']
    without = sum(not one.get('segmentation') for one in objects)
    if without and any(step.get('with_mask') for step in dataset.get('pipeline') or ()):
        problems.append(f'{without} of {len(objects)} annotations have no segmentation, which the config reads')
    return [f'{paths["ann_file"]}: {problem}' for problem in problems] + missing_files(
        list(images.values()), f'images of {paths["ann_file"]}'
    )


def _repeated(content: dict[str, Any]) -> str:
    """Returns a sentence on an id, or a name of a category, that occurs twice."""
    lists = {
        'images with the id': [one['id'] for one in content['images']],
        'categories with the id': [one['id'] for one in content['categories']],
        'categories with the name': [one['name'] for one in content['categories']],
        'annotations with the id': [one['id'] for one in content['annotations'] if 'id' in one],
    }
    for what, values in lists.items():
        counts = collections.Counter(values)
        if len(counts) < len(values):
            return f'there are several {what} {counts.most_common(1)[0][0]}'
    return ''


def _misfits(content: dict[str, Any], image_ids: set[Any], category_ids: set[Any]) -> str:
    """Returns a sentence on annotations that belong to no image or category, or have an impossible box."""
    for one in content['annotations']:
        name = f'annotation {one.get("id", "without an id")}'
        if one['image_id'] not in image_ids:
            continue  # mmdet ignores it
        if one['category_id'] not in category_ids:
            return f'{name} has the category {one["category_id"]}, which is not there'
        box = one['bbox']
        if box and (len(box) != 4 or not all(isinstance(value, int | float) and math.isfinite(value) for value in box)):
            return f'{name} has the box {box}, not four numbers x, y, width, height'
    return ''


def voc_problems(dataset: dict[str, Any], kind: type, paths: dict[str, Path], classes: Sequence[str]) -> list[str]:
    """Checks a PASCAL VOC image list, its images and annotation files, and the classes in a sample of the latter."""
    names = paths['ann_file'].read_text().split()
    base = paths['sub_data_root']
    annotations = [base / 'Annotations' / f'{name}.xml' for name in names]
    problems = missing_files([base / 'JPEGImages' / f'{name}.jpg' for name in names], f'images of {paths["ann_file"]}')
    problems += missing_files(annotations, f'annotations of {paths["ann_file"]}')
    if problems or not names:
        return problems or [f'{paths["ann_file"]}: lists no image']
    try:
        found = {
            str(one.text) for path in _sample(annotations) for one in ElementTree.parse(path).findall('object/name')
        }
    except ElementTree.ParseError as error:
        return [f'{base / "Annotations"}: not readable ({error})']
    unknown = sorted(found - set(classes))
    return [f'{base / "Annotations"}: wrong class list: the config has no {_some(unknown)}'] if unknown else []


def segmentation_problems(
    dataset: dict[str, Any], kind: type, paths: dict[str, Path], classes: Sequence[str]
) -> list[str]:
    """Checks images and label maps, and the labels in a sample of the latter."""
    parameters = inspect.signature(kind).parameters

    def option(name: str) -> Any:  # noqa: ANN401  (a value of a config)
        return dataset.get(name, parameters[name].default if name in parameters else None)

    image_suffix, label_suffix = option('img_suffix') or '.jpg', option('seg_map_suffix') or '.png'
    if 'ann_file' in paths:
        names = [line.strip() for line in paths['ann_file'].read_text().splitlines() if line.strip()]
    else:
        names = sorted(
            str(path.relative_to(paths['img_path']))[: -len(image_suffix)]
            for path in paths['img_path'].rglob(f'*{image_suffix}')
        )
    if not names:
        return [f'{paths.get("ann_file", paths["img_path"])}: contains no image *{image_suffix}']
    labels = [paths['seg_map_path'] / (name + label_suffix) for name in names]
    images = [paths['img_path'] / (name + image_suffix) for name in names]
    problems = missing_files(images, f'images in {paths["img_path"]}')
    problems += missing_files(labels, f'label maps in {paths["seg_map_path"]}')
    # with `reduce_zero_label` 0 is ignored and the classes start at 1
    max_label = len(classes) - (0 if option('reduce_zero_label') else 1)
    return problems or [problem for path in _sample(labels) for problem in _label_problems(path, max_label)][:MAX_NAMES]


def _label_problems(path: Path, max_label: int) -> list[str]:
    try:
        with Image.open(path) as image:
            labels = np.asarray(image)
    except OSError as error:
        return [f'{path}: not readable ({error})']
    if labels.ndim != 2:
        return [f'{path}: a colour image, not a map of class indices']
    wrong = [int(value) for value in np.unique(labels) if value > max_label and value != IGNORE_LABEL]
    return (
        [f'{path}: wrong class list: label {wrong[0]}; the config has 0 to {max_label}, and {IGNORE_LABEL} to ignore']
        if wrong
        else []
    )


# name of a base class in mmdet or mmseg -> check(dataset config, class, paths by name, class names)
CHECKS: dict[str, Callable[[dict[str, Any], type, dict[str, Path], Sequence[str]], list[str]]] = {
    'CocoDataset': coco_problems,
    'XMLDataset': voc_problems,
    'BaseSegDataset': segmentation_problems,
}
