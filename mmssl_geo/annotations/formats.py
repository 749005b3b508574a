"""Checks of a data set by its format: COCO, PASCAL VOC boxes, label maps, images with a class."""

from collections.abc import Callable, Sequence
from pathlib import Path

from .classes import name_differences
from .classification import classification_problems
from .coco import read_coco, with_masks
from .coco_objects import box_problems, mask_problems
from .datasets import CLASSIFICATION, LabelledDataset
from .files import image_size, missing_files, sample
from .label_maps import label_map_problems
from .voc import voc_problems


def coco_problems(dataset: LabelledDataset, classes: Sequence[str]) -> list[str]:
    """Checks a COCO annotation file and its images.

    The categories of the file must be the classes of the config, in the same order: mmdet numbers the labels in the
    order of the file and names them in the order of the config. Categories that no annotation uses may be left out.
    """
    path = dataset.path('ann_file')
    coco = read_coco(path)
    used = {one['category_id'] for one in coco.annotations}
    names = [
        one['name']
        for one in coco.categories
        if one['name'] in classes or (one['id'] in used and not dataset.allow_subset)
    ]
    problems = name_differences(classes, names)
    if not coco.annotations:
        problems.append('none of its images has an annotation')
    smallest = (dataset.cfg.get('filter_cfg') or {}).get('min_size', 0)
    if dataset.split == 'train' and all(min(one['height'], one['width']) < smallest for one in coco.images.values()):
        problems.append(
            f'all images are smaller than filter_cfg.min_size={smallest} and would be left out: set it to 0'
        )
    boxes = box_problems(coco)
    problems += boxes
    if not boxes and with_masks(dataset.steps):
        problems += mask_problems(coco)
    folder = dataset.path('img')
    images = {folder / one['file_name']: one for one in coco.images.values() if 'file_name' in one}
    missing = missing_files(list(images), f'images of {path}')
    return [f'{path}: {problem}' for problem in problems] + (
        missing or _size_problems([(file, (one['height'], one['width'])) for file, one in images.items()])
    )


def _size_problems(images: Sequence[tuple[Path, tuple[int, int]]]) -> list[str]:
    """Compares the sizes in an annotation file with those of the images; returns the first difference."""
    for path, expected in sample(images):
        try:
            size, swapped = image_size(path)
        except OSError as error:
            return [f'{path}: not readable as an image ({error})']
        if size != expected:
            turned = size == expected[::-1]
            hint = (
                '; its EXIF orientation turns it when it is read: save the images upright'
                if turned and swapped
                else '; height and width are swapped'
                if turned
                else ''
            )
            return [f'{path}: has height and width {list(size)}, but the annotation file says {list(expected)}{hint}']
    return []


# name of a base class in mmdet or mmseg -> check(data set, class names)
CHECKS: dict[str, Callable[[LabelledDataset, Sequence[str]], list[str]]] = {
    'CocoDataset': coco_problems,
    'XMLDataset': voc_problems,
    'BaseSegDataset': label_map_problems,
}
OTHER_FORMATS = ('CocoPanopticDataset', 'BaseCDDataset')


def check_of(dataset: LabelledDataset) -> Callable[[LabelledDataset, Sequence[str]], list[str]] | None:
    """Returns the check of a data set's format, None for a format without one."""
    if dataset.scope == CLASSIFICATION:
        return classification_problems
    if any(map(dataset.is_a, OTHER_FORMATS)):
        return None
    return next((check for name, check in CHECKS.items() if dataset.is_a(name)), None)
