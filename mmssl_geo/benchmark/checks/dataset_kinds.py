"""What the files of a data set have to be, by the kind of its class in mmdet and mmseg."""
import inspect
import json
import os
from xml.etree import ElementTree

import numpy as np
from PIL import Image

SHOWN = 3
SAMPLED = 24  # label maps and annotation files of a split that are opened
IGNORED = 255


def missing_files(paths, what):
    """A sentence on files that are not there, or none; every folder is listed once."""
    folders, missing = {}, []
    for path in paths:
        if path.parent not in folders:
            folders[path.parent] = set(os.listdir(path.parent)) if path.parent.is_dir() else set()
        if path.name not in folders[path.parent]:
            missing.append(str(path))
    return [f'{len(missing)} of {len(paths)} {what} are missing: {_some(missing)}'] if missing else []


def _some(words):
    return ', '.join(words[:SHOWN]) + (f', and {len(words) - SHOWN} more' if len(words) > SHOWN else '')


def _sample(items):
    return [items[index] for index in np.unique(np.linspace(0, len(items) - 1, SAMPLED).astype(int))]


def coco_problems(dataset, kind, paths, classes):
    """Of a COCO annotation file and its images.

    A class of the config that the file lacks is never learnt; one of the file that the config lacks is never seen.
    Objects need boxes, and masks if the pipeline reads them.
    """
    try:
        content = json.loads(paths['ann_file'].read_text())
        there = [one['name'] for one in content['categories'] if 'id' in one]
        images = {one['id']: paths['img'] / one['file_name'] for one in content['images']}
        objects = [one for one in content['annotations'] if one['image_id'] in images and one['bbox']]
    except (ValueError, KeyError, TypeError) as error:
        return [f'{paths["ann_file"]}: not a COCO annotation file ({type(error).__name__}: {error})']
    lacking, extra = [one for one in classes if one not in there], [one for one in there if one not in classes]
    wrong = [text for text in (lacking and f'the file has no {_some(lacking)}',
                               extra and f'the config has no {_some(extra)}') if text]
    problems = [f'wrong class list: {"; ".join(wrong)}'] if wrong else []
    problems += [] if objects else ['none of its images has an annotation']
    without = sum(not one.get('segmentation') for one in objects)
    if without and any(step.get('with_mask') for step in dataset.get('pipeline') or ()):
        problems.append(f'{without} of {len(objects)} annotations have no segmentation, which the config reads')
    return [f'{paths["ann_file"]}: {problem}' for problem in problems] + missing_files(
        list(images.values()), f'images of {paths["ann_file"]}')


def voc_problems(dataset, kind, paths, classes):
    """Of a list of PASCAL VOC, its images and annotation files; classes of a sample of these."""
    names = paths['ann_file'].read_text().split()
    base = paths['sub_data_root']
    annotations = [base / 'Annotations' / f'{name}.xml' for name in names]
    problems = missing_files([base / 'JPEGImages' / f'{name}.jpg' for name in names], f'images of {paths["ann_file"]}')
    problems += missing_files(annotations, f'annotations of {paths["ann_file"]}')
    if problems or not names:
        return problems or [f'{paths["ann_file"]}: names no image']
    try:
        seen = {one.text for path in _sample(annotations) for one in ElementTree.parse(path).findall('object/name')}
    except ElementTree.ParseError as error:
        return [f'{base / "Annotations"}: not readable ({error})']
    unknown = sorted(seen - set(classes))
    return [f'{base / "Annotations"}: wrong class list: the config has no {_some(unknown)}'] if unknown else []


def segmentation_problems(dataset, kind, paths, classes):
    """Of images and label maps; values of a sample of these."""
    def option(name):
        known = inspect.signature(kind.__init__).parameters
        return dataset.get(name, known[name].default if name in known else None)
    image_suffix, label_suffix = option('img_suffix') or '.jpg', option('seg_map_suffix') or '.png'
    if 'ann_file' in paths:
        names = [line.strip() for line in paths['ann_file'].read_text().splitlines() if line.strip()]
    else:
        names = sorted(str(path.relative_to(paths['img_path']))[:-len(image_suffix)]
                       for path in paths['img_path'].rglob(f'*{image_suffix}'))
    if not names:
        return [f'{paths.get("ann_file", paths["img_path"])}: names no image *{image_suffix}']
    labels = [paths['seg_map_path'] / (name + label_suffix) for name in names]
    images = [paths['img_path'] / (name + image_suffix) for name in names]
    problems = missing_files(images, f'images in {paths["img_path"]}')
    problems += missing_files(labels, f'label maps in {paths["seg_map_path"]}')
    # with `reduce_zero_label` 0 is ignored and the classes are 1 to their number
    highest = len(classes) - (0 if option('reduce_zero_label') else 1)
    return problems or [problem for path in _sample(labels) for problem in _label_problems(path, highest)][:SHOWN]


def _label_problems(path, highest):
    try:
        with Image.open(path) as image:
            labels = np.asarray(image)
    except OSError as error:
        return [f'{path}: not readable ({error})']
    if labels.ndim != 2:
        return [f'{path}: a colour picture, not a map of class numbers']
    wrong = [int(value) for value in np.unique(labels) if value > highest and value != IGNORED]
    return [f'{path}: wrong class list: label {wrong[0]}; the config has 0 to {highest}, and {IGNORED} to ignore'
            ] if wrong else []


CHECKS = {'CocoDataset': coco_problems, 'XMLDataset': voc_problems, 'BaseSegDataset': segmentation_problems}
