"""Names of the images of a data set: a compact table, and the ways to fill it from a folder, a list or a COCO file."""

import collections
import json
import os
import sys
from collections.abc import Iterator, Sequence

import numpy as np
from mmengine.logging import MMLogger, print_log
from PIL import Image

from mmssl_geo.utils.errors import UserError

from .image_reading import printable


def _extensions() -> tuple[str, ...]:
    """Returns the extensions of images that the installed Pillow can read."""
    Image.init()
    readable = {extension for extension, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    return CORE_EXTENSIONS + tuple(extension for extension in OTHER_EXTENSIONS if extension in readable)


CORE_EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.gif', '.ppm', '.pgm', '.pbm')
OTHER_EXTENSIONS = ('.jfif', '.jpe', '.jp2', '.avif', '.heic', '.heif')  # the last ones need a plugin of Pillow
EXTENSIONS = _extensions()
SCAN_REPORT_EVERY = 200_000
NUM_ENDINGS = 8
BYTE_ORDER_MARK = b'\xef\xbb\xbf'


class PathTable:
    """File names in one byte buffer, whose memory forked workers share (there is no Python object per name).

    Args:
        buffer: Bytes of the names, one after the other, uint8, shape (total,).
        ends: End of each name in the buffer, int64, shape (N,).
    """

    def __init__(self, buffer: np.ndarray, ends: np.ndarray) -> None:
        self.buffer = buffer
        self.ends = ends

    @classmethod
    def from_names(cls, names: Sequence[bytes]) -> 'PathTable':
        """Makes a table of encoded names."""
        ends = np.cumsum(np.fromiter(map(len, names), np.int64, len(names)))
        return cls(np.frombuffer(b''.join(names), np.uint8), ends)

    @classmethod
    def from_lines(cls, text: bytes) -> 'PathTable':
        """Makes a table of the lines of a list file; ignores blank lines and white space at both ends."""
        lines = text.removeprefix(BYTE_ORDER_MARK).splitlines()
        return cls.from_names([name for name in map(bytes.strip, lines) if name])

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> str:
        start = self.ends[index - 1] if index else 0
        return os.fsdecode(self.buffer[start : self.ends[index]].tobytes())

    def __iter__(self) -> Iterator[str]:
        return (self[index] for index in range(len(self)))


def scan_folder(folder: str, extensions: Sequence[str] = EXTENSIONS) -> PathTable:
    """Lists all images below a folder, by names relative to it, sorted by their bytes.

    Follows links to files and folders, enters each folder once (so a loop of links ends), and ignores hidden files and
    folders (a leading dot).

    Args:
        folder: Folder to scan.
        extensions: File extensions with their dot, in lower case; upper-case files match too.

    Raises:
        UserError: If a folder cannot be listed.
    """
    endings = tuple(os.fsencode(ending) for ending in extensions)
    root = os.fsencode(folder)
    seen: set[tuple[int, int]] = set()
    names: list[bytes] = []
    left_out: collections.Counter[str] = collections.Counter()
    pending = [b'']
    while pending:
        below = pending.pop()
        here = os.path.join(root, below)
        status = os.stat(here)
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        folders, files, num_others = _list_folder(here)
        left_out['(not a regular file)'] += num_others
        pending.extend(os.path.join(below, name) for name in sorted(folders, reverse=True))
        before = len(names)
        for name in files:
            if name.lower().endswith(endings):
                names.append(os.path.join(below, name))
            else:
                left_out[os.path.splitext(os.fsdecode(name))[1].lower() or '(no extension)'] += 1
        if len(names) // SCAN_REPORT_EVERY > before // SCAN_REPORT_EVERY:
            log(f'{folder}: {len(names)} images found so far')
    summary = _summary(left_out)
    if summary or MMLogger._instance_dict:  # tools report the number of images themselves
        log(f'{folder}: {len(names)} images{summary}')
    return PathTable.from_names(sorted(names))


def log(text: str) -> None:
    """Logs a line in a run, and prints it to standard error in a tool, whose output may be data."""
    if MMLogger._instance_dict:
        print_log(printable(text), 'current')
    else:
        print(printable(text), file=sys.stderr)


def _summary(left_out: 'collections.Counter[str]') -> str:
    ranked = sorted((-count, ending) for ending, count in left_out.items() if count)
    texts = [f'{-count} {ending}' for count, ending in ranked[:NUM_ENDINGS]]
    texts += [f'{-sum(count for count, _ in ranked[NUM_ENDINGS:])} others'] if len(ranked) > NUM_ENDINGS else []
    return f'; left out: {", ".join(texts)}' if texts else ''


def _list_folder(folder: bytes) -> tuple[list[bytes], list[bytes], int]:
    """Returns the names of the visible folders and regular files in a folder, and the number of other entries.

    Links count as their targets.
    """
    folders: list[bytes] = []
    files: list[bytes] = []
    num_others = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(b'.'):
                    continue
                # os.path.isdir is False for a broken or cyclic link, DirEntry.is_dir would raise
                is_folder = os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()
                if is_folder:
                    folders.append(entry.name)
                elif os.path.isfile(entry.path) if entry.is_symlink() else entry.is_file():
                    files.append(entry.name)
                else:
                    num_others += 1
    except OSError as error:
        raise UserError(
            f'the folder {os.fsdecode(folder)} cannot be listed ({error.strerror}): '
            'correct data_root and data_prefix, or make the folder readable'
        ) from error
    return folders, files, num_others


def read_ann_file(path: str) -> PathTable:
    """Reads image names, in the file's order, from a list (`.txt`, one path per line) or a COCO file (`.json`).

    Raises:
        UserError: If the file has another extension, does not exist, or names no image.
    """
    extension = os.path.splitext(path)[1].lower()
    if extension not in ('.txt', '.json'):
        raise UserError(f'ann_file {path} must end in .txt (one path per line), .json (COCO) or .tar')
    if not os.path.isfile(path):
        raise UserError(f'ann_file {path} does not exist (it is relative to data_root): correct it')
    if extension == '.json':
        names = read_coco_names(path)
        expected = 'entries with a "file_name" in its list "images"'
    else:
        with open(path, 'rb') as file:
            names = PathTable.from_lines(file.read())
        expected = f'lines with the path of an image each (such as {", ".join(EXTENSIONS[:3])})'
    if len(names) == 0:
        raise UserError(f'ann_file {path} names no image: it must contain {expected}')
    return names


def read_coco_names(path: str) -> PathTable:
    """Reads `images[].file_name` of a COCO file, in its order; there may be none.

    Raises:
        UserError: If the file is not valid json, or an entry of `images` has no `file_name`.
    """
    try:
        with open(path, 'rb') as file:
            content = json.load(file)
    except ValueError as error:
        raise UserError(f'the annotation file {path} is not valid json ({error})') from error
    images = content.get('images', []) if isinstance(content, dict) else []
    try:
        return PathTable.from_names([os.fsencode(image['file_name']) for image in images])
    except (KeyError, TypeError) as error:
        raise UserError(
            f'the annotation file {path} has an entry in "images" without a "file_name": '
            'it is not a COCO json; use one, or a .txt list of paths'
        ) from error
