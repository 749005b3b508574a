"""Boxes in PASCAL VOC's layout: a list of names, images, one .xml file each."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from .classes import name_differences
from .datasets import LabelledDataset
from .files import missing_files, sample, some
from .label_maps import read_names

CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')


def voc_problems(dataset: LabelledDataset, classes: Sequence[str]) -> list[str]:
    """Checks the list, its images and annotation files, and the objects in a sample of the latter."""
    path, base = dataset.path('ann_file'), dataset.path('sub_data_root')
    if dataset.is_a('VOCDataset') and not any(year in str(base) for year in ('VOC2007', 'VOC2012')):
        return [f'{base}: mmdet reads the year from data_prefix.sub_data_root, which must contain VOC2007 or VOC2012']
    names, problems = read_names(path)
    if problems:
        return problems
    folder = base / dataset.option('ann_subdir', 'Annotations')
    annotations = [folder / f'{name}.xml' for name in names]
    images = [base / dataset.option('img_subdir', 'JPEGImages') / f'{name}.jpg' for name in names]
    problems = missing_files(images, f'images of {path}') + missing_files(annotations, f'annotations of {path}')
    if problems:
        return problems
    found: dict[str, int] = {}
    for file in sample(annotations):
        problem = _read_objects(file, found)
        if problem:
            return [f'{file}: {problem}']
    if not found:
        return [f'{folder}: none of the annotation files of {path} has an object']
    unknown = [] if dataset.allow_subset else sorted(set(found) - set(classes))
    return [f'{folder}: {one}' for one in name_differences(classes, [*classes, *unknown])]


def _read_objects(path: Path, found: dict[str, int]) -> str:
    """Counts the objects of a file by their names; returns what is wrong with it."""
    try:
        tree = ElementTree.parse(path)
    except (ElementTree.ParseError, OSError, ValueError) as error:
        return f'is not readable as XML ({error})'
    for one in tree.findall('object'):
        name = one.findtext('name')
        if not name:
            return 'has an object without a name'
        box = one.find('bndbox')
        if box is None:
            return f'has an object {name!r} without bndbox'
        texts = [box.findtext(corner) for corner in CORNERS]
        try:
            x1, y1, x2, y2 = (float(text or 'none') for text in texts)
        except ValueError:
            return f'has an object {name!r} whose {some(CORNERS)} are not four numbers'
        if x2 <= x1 or y2 <= y1:
            return f'has an object {name!r} with the corners {[x1, y1, x2, y2]}, whose box is empty'
        if max(x2, y2) <= 1:
            return f'has an object {name!r} in fractions of the image: corners must be in pixels'
        found[name] = found.get(name, 0) + 1
    return ''
