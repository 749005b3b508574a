"""Reads the CSV files of an Open Images V6 or V7 download as streams; the largest has 14.6 million rows."""

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.progress import ProgressBar

CLASSES = (
    'oidv7-class-descriptions-boxable.csv',
    'oidv6-class-descriptions-boxable.csv',
    'class-descriptions-boxable.csv',
)
BOXES = dict(
    train=('oidv6-train-annotations-bbox.csv', 'train-annotations-bbox.csv'),
    val=('validation-annotations-bbox.csv', 'oidv6-validation-annotations-bbox.csv'),
)
ROTATIONS = dict(train=('train-images-boxable-with-rotation.csv',), val=('validation-images-with-rotation.csv',))
COLUMNS = ('ImageID', 'LabelName', 'XMin', 'XMax', 'YMin', 'YMax', 'IsGroupOf')
BATCH = 200_000
ROW = np.dtype(
    [('image', np.uint64), ('label', np.int16), ('group', bool)]
    + [(edge, np.float32) for edge in ('x1', 'y1', 'x2', 'y2')]
)


def find_file(root: str | os.PathLike, names: Sequence[str]) -> Path:
    """Finds the first of several file names in a folder or its direct sub-folders.

    Raises:
        UserError: If no such file exists, or the folder does not exist.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f'the folder {root} does not exist: pass the folder with the CSV files of Open Images')
    path = find_optional_file(root, names)
    if path is None:
        raise UserError(
            f'neither {root} nor a folder in it has a file {" or ".join(names)}: download it from the site '
            'of Open Images (V6 or V7, "subset with bounding boxes")'
        )
    return path


def find_optional_file(root: Path, names: Sequence[str]) -> Path | None:
    """Finds the first of several file names in a folder or its direct sub-folders; returns None without one."""
    folders = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
    return next((folder / name for name in names for folder in folders if (folder / name).is_file()), None)


def read_classes(path: Path) -> dict[str, str]:
    """Reads the mapping from class ids ('/m/01g317') to names, sorted by id; the file may have a header."""
    with open(path, newline='', encoding='utf-8') as file:
        classes = {row[0]: row[1] for row in csv.reader(file) if len(row) > 1 and row[0].startswith('/')}
    if not classes:
        raise UserError(f'{path} has no classes: expected rows such as "/m/01g317,Person"')
    return dict(sorted(classes.items()))


def read_boxes(path: Path, class_ids: dict[str, int]) -> Iterator[NDArray]:
    """Yields batches of the boxes of a file and shows progress in rows.

    Args:
        path: A `...-annotations-bbox.csv` file.
        class_ids: Number of every class id.

    Yields:
        Structured arrays of type `ROW`: `image` is the hexadecimal ImageID as a number, and the box is in fractions of
        the image width and height. Rows of other classes, empty boxes and boxes outside the image are skipped.

    Raises:
        UserError: If a column is missing, or a row cannot be read; names the line.
    """
    progress, rows, invalid, others = ProgressBar(None, f'rows of {path.name}'), [], 0, 0
    with open(path, newline='', encoding='utf-8') as file:
        reader = csv.reader(file)
        columns = _columns(path, next(reader, []), COLUMNS)
        for row in reader:
            try:
                entry = _entry(row, columns, class_ids)
            except (ValueError, IndexError) as error:
                raise UserError(
                    f'{path}, line {reader.line_num}: {",".join(row)[:80]!r} is not a valid row '
                    f'({error}): download the file again'
                ) from error
            if entry[1] is None:
                others += 1
            elif not _is_box(*entry[3:]):
                invalid += 1
            else:
                rows.append(entry)
            if len(rows) == BATCH:
                yield np.array(rows, ROW)
                rows = []
            progress.update()
    progress.set_postfix_str(
        f'skipped {invalid} empty boxes or boxes outside their image, and {others} rows of other classes', refresh=False
    )
    progress.close()
    yield np.array(rows, ROW)


def _entry(row: list[str], columns: list[int], class_ids: dict[str, int]) -> tuple:
    image, label, x1, x2, y1, y2, group = (row[column] for column in columns)
    return (_image_number(image), class_ids.get(label), group == '1', float(x1), float(y1), float(x2), float(y2))


def _is_box(x1: float, y1: float, x2: float, y2: float) -> bool:
    return 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1


def _image_number(image: str) -> int:
    if len(image) != 16:
        raise ValueError('an ImageID has 16 hexadecimal digits')
    return int(image, 16)


def read_rotated(path: Path) -> NDArray:
    """Reads the images that are not upright from an `...-with-rotation.csv` file: sorted uint64 ImageIDs."""
    with open(path, newline='', encoding='utf-8') as file:
        reader = csv.reader(file)
        image, rotation = _columns(path, next(reader, []), ('ImageID', 'Rotation'))
        try:
            rotated = [_image_number(row[image]) for row in reader if row[rotation] and float(row[rotation]) % 360]
        except (ValueError, IndexError) as error:
            raise UserError(
                f'{path}, line {reader.line_num}, cannot be read ({error}): download the file again'
            ) from error
    return np.unique(np.array(rotated, np.uint64))


def _columns(path: Path, header: list[str], names: Sequence[str]) -> list[int]:
    missing = [name for name in names if name not in header]
    if missing:
        raise UserError(f'{path} has no column {", ".join(missing)}: it is not the file its name suggests')
    return [header.index(name) for name in names]
