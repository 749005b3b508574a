"""Images with a class each: folders by class, lists of paths with labels, and other data sets of mmpretrain."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmssl_geo.utils.errors import UserError

from .classes import name_differences
from .datasets import LabelledDataset
from .files import image_size, missing_files, sample, some


def classification_problems(dataset: LabelledDataset, classes: Sequence[str]) -> list[str]:
    """Checks that the images exist, that all classes have some, and the labels of a list."""
    folders = dataset.class_folders
    problems: list[str] = []
    if folders is not None:
        problems = _folder_problems(dataset, folders, classes)
    elif dataset.is_a('CustomDataset') and dataset.option('with_label', True) and 'ann_file' in dataset.paths:
        problems = _list_problems(dataset, classes)
    if problems:
        return problems
    samples = dataset.built.load_data_list()
    where = dataset.cfg.get('ann_file') or dataset.cfg.get('data_prefix')
    images = [Path(one['img_path']) for one in samples]
    problems = missing_files(images, f'images of {where}')
    if problems:
        return problems
    for path in sample(images):
        try:
            image_size(path)
        except OSError as error:
            return [f'{path}: not readable as an image ({error})']
    return _label_problems(samples, classes, dataset)


def _folder_problems(dataset: LabelledDataset, names: Sequence[str], classes: Sequence[str]) -> list[str]:
    folder = dataset.image_folder
    if not names:
        images = any(path.is_file() for path in folder.iterdir())
        return [f'{folder}: contains no folders by class' + (', only files' if images else '')]
    extensions = tuple(dataset.option('extensions'))
    empty = [name for name in names if not _has_image(folder / name, extensions)]
    if len(empty) == len(names):
        return [f'{folder}: no folder has an image with the extensions {", ".join(sorted(extensions))}']
    if empty and dataset.split == 'train':
        return [f'{folder}: no image in the folders {some(empty, quoted=True)}, which count as classes']
    named = (dataset.cfg.get('metainfo') or {}).get('classes')
    if named and len(classes) != len(names):
        return [
            f'{folder}: wrong class list: {len(names)} folders ({some(names)}), but the config has '
            f'{len(classes)} classes'
        ]
    if named and set(classes) & set(names):  # names of their own may replace those of the folders
        return [f'{folder}: {one}' for one in name_differences(classes, names)]
    return []


def _has_image(folder: Path, extensions: tuple[str, ...]) -> bool:
    return any(path.name.lower().endswith(extensions) for path in folder.rglob('*') if path.is_file())


def _list_problems(dataset: LabelledDataset, classes: Sequence[str]) -> list[str]:
    path = dataset.path('ann_file')
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except UnicodeDecodeError:
        return [f'{path}: is not UTF-8 text']
    if not any(line.strip() for line in lines):
        return [f'{path}: lists no image']
    for number, line in enumerate(lines, 1):
        parts = line.strip().rsplit(' ', 1)
        where = f'{path}: line {number} ({line.strip()!r})'
        if len(parts) < 2:
            return [f'{where} must be a path, one space and the number of a class']
        label = parts[1].removeprefix('-')
        if not label.isdecimal():
            return [f'{where} ends in {parts[1]!r}, which must be the number of a class, from 0']
    return [] if classes else [f'{path}: the config names no classes for its labels (metainfo=dict(classes=(...)))']


def _label_problems(samples: Sequence[dict[str, Any]], classes: Sequence[str], dataset: LabelledDataset) -> list[str]:
    where = dataset.cfg.get('ann_file') or dataset.cfg.get('data_prefix')
    labels: set[int] = set()
    for one in samples:
        label = one.get('gt_label')
        if label is not None:
            labels.update(label if isinstance(label, list | tuple) else [int(label)])
    if not labels:
        return []
    if not classes:
        raise UserError(f'{where}: the config names no classes for its labels (metainfo=dict(classes=(...)))')
    if min(labels) < 0 or max(labels) >= len(classes):
        wrong = min(labels) if min(labels) < 0 else max(labels)
        hint = ' (numbers start at 0)' if wrong == len(classes) and 0 not in labels else ''
        return [f'{where}: wrong class list: label {wrong}, but the config has 0 to {len(classes) - 1}{hint}']
    if len(labels) == 1 < len(classes) and dataset.split == 'train':
        return [f'{where}: all images have the label {min(labels)}, for {len(classes)} classes']
    return []
