"""The CSV files of an Open Images V6 or V7 download, read as streams (the largest has 14.6 million rows)."""
import csv
from pathlib import Path

import numpy as np

from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.progress import Progress

CLASSES = ('oidv7-class-descriptions-boxable.csv', 'oidv6-class-descriptions-boxable.csv',
           'class-descriptions-boxable.csv')
BOXES = dict(train=('oidv6-train-annotations-bbox.csv', 'train-annotations-bbox.csv'),
             val=('validation-annotations-bbox.csv', 'oidv6-validation-annotations-bbox.csv'))
ROTATIONS = dict(train=('train-images-boxable-with-rotation.csv', ), val=('validation-images-with-rotation.csv', ))
COLUMNS = ('ImageID', 'LabelName', 'XMin', 'XMax', 'YMin', 'YMax', 'IsGroupOf')
BATCH = 200_000
ROW = np.dtype([('image', np.uint64), ('label', np.int16), ('group', bool)] + [
    (edge, np.float32) for edge in ('x1', 'y1', 'x2', 'y2')])


def find_file(root, names, needed=True):
    """The first of several names that lies in a folder or in one of its direct sub-folders.

    Returns:
        Path, or None if none is there and it is not `needed`.

    Raises:
        UserError: none is there, or the folder does not exist.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f'the folder {root} does not exist: give the one with the CSV files of Open Images')
    folders = [root] + sorted(path for path in root.iterdir() if path.is_dir())
    for name in names:
        for folder in folders:
            if (folder / name).is_file():
                return folder / name
    if needed:
        raise UserError(f'neither {root} nor a folder in it has a file {" or ".join(names)}: download it from the site '
                        'of Open Images (V6 or V7, "subset with bounding boxes")')
    return None


def read_classes(path):
    """Class id ('/m/01g317') -> name, sorted by id, of a file with or without a header."""
    with open(path, newline='', encoding='utf-8') as file:
        classes = {row[0]: row[1] for row in csv.reader(file) if len(row) > 1 and row[0].startswith('/')}
    if not classes:
        raise UserError(f'{path} names no class: it takes rows such as "/m/01g317,Person"')
    return dict(sorted(classes.items()))


def read_boxes(path, class_ids):
    """Yields batches of the boxes of a file, with the count of rows shown as progress.

    Args:
        path: a `...-annotations-bbox.csv`.
        class_ids: class id -> number.

    Yields:
        Structured arrays `ROW`: `image` is the hexadecimal ImageID as a number, the box is in shares of the image's
        width and height. Rows of other classes, and boxes that are empty or not within the image, are left out.

    Raises:
        UserError: a column is missing, or a row cannot be read; with its line.
    """
    progress, rows, impossible, others = Progress(None, f'rows of {path.name}'), [], 0, 0
    with open(path, newline='', encoding='utf-8') as file:
        reader = csv.reader(file)
        columns = _columns(path, next(reader, []), COLUMNS)
        for row in reader:
            try:
                entry = _entry(row, columns, class_ids)
            except (ValueError, IndexError) as error:
                raise UserError(f'{path}, line {reader.line_num}: {",".join(row)[:80]!r} is no row of such a file '
                                f'({error}): download it anew') from error
            if entry[1] is None:
                others += 1
            elif not _is_box(*entry[3:]):
                impossible += 1
            else:
                rows.append(entry)
            if len(rows) == BATCH:
                yield np.array(rows, ROW)
                rows = []
            progress.add()
    progress.finish(f'left out: {impossible} boxes empty or outside of their image, {others} rows of other classes')
    yield np.array(rows, ROW)


def _entry(row, columns, class_ids):
    image, label, x1, x2, y1, y2, group = (row[column] for column in columns)
    return (_image_number(image), class_ids.get(label), group == '1', float(x1), float(y1), float(x2), float(y2))


def _is_box(x1, y1, x2, y2):
    return 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1


def _image_number(image):
    if len(image) != 16:
        raise ValueError('an ImageID has 16 hexadecimal digits')
    return int(image, 16)


def read_rotated(path):
    """Images (sorted uint64) that have to be turned to stand upright, from an `...-with-rotation.csv`."""
    with open(path, newline='', encoding='utf-8') as file:
        reader = csv.reader(file)
        image, rotation = _columns(path, next(reader, []), ('ImageID', 'Rotation'))
        try:
            rotated = [_image_number(row[image]) for row in reader if row[rotation] and float(row[rotation]) % 360]
        except (ValueError, IndexError) as error:
            raise UserError(f'{path}, line {reader.line_num}, cannot be read ({error}): download it anew') from error
    return np.unique(np.array(rotated, np.uint64))


def _columns(path, header, names):
    missing = [name for name in names if name not in header]
    if missing:
        raise UserError(f'{path} has no column {", ".join(missing)}: it is not the file that its name says')
    return [header.index(name) for name in names]
