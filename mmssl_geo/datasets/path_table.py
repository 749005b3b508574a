"""A million file names in two numpy arrays, and the ways to fill them."""
import json
import os

import numpy as np
from mmengine.logging import print_log

from mmssl_geo.utils.errors import UserError

SCAN_REPORT_EVERY = 200_000
BYTE_ORDER_MARK = b'\xef\xbb\xbf'


class PathTable:
    """File names as one byte buffer, so that forked workers share its memory (no Python object per name).

    Args:
        buffer (np.ndarray): (total,) uint8, the names' bytes, one after the other.
        ends (np.ndarray): (N,) int64, where each name ends and the next one begins.
    """

    def __init__(self, buffer, ends):
        self.buffer = buffer
        self.ends = ends

    @classmethod
    def from_names(cls, names):
        """From a list of `bytes`."""
        ends = np.cumsum(np.fromiter(map(len, names), np.int64, len(names)))
        return cls(np.frombuffer(b''.join(names), np.uint8), ends)

    @classmethod
    def from_lines(cls, text):
        """From the `bytes` of a list file, one name a line; blank lines and white space at both ends do not count."""
        lines = text.removeprefix(BYTE_ORDER_MARK).splitlines()
        return cls.from_names([name for name in map(bytes.strip, lines) if name])

    def __len__(self):
        return len(self.ends)

    def __getitem__(self, index):
        start = self.ends[index - 1] if index else 0
        return os.fsdecode(self.buffer[start:self.ends[index]].tobytes())


def scan_folder(folder, extensions):
    """Names of all images below a folder, relative to it, sorted by their bytes.

    Links to files and folders are followed, each folder is entered once (so that a loop of links ends), hidden files
    and folders (a leading dot) are left out.

    Args:
        folder (str): where to begin.
        extensions (tuple[str]): lower-case endings with their dot; upper-case files fit too.

    Returns:
        PathTable: the names.

    Raises:
        UserError: a folder below cannot be listed.
    """
    endings = tuple(os.fsencode(ending) for ending in extensions)
    root = os.fsencode(folder)
    seen, names, pending = set(), [], [b'']
    while pending:
        below = pending.pop()
        here = os.path.join(root, below)
        status = os.stat(here)
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        folders, files = _list_folder(here)
        pending.extend(os.path.join(below, name) for name in sorted(folders, reverse=True))
        before = len(names)
        names.extend(os.path.join(below, name) for name in files if name.lower().endswith(endings))
        if len(names) // SCAN_REPORT_EVERY > before // SCAN_REPORT_EVERY:
            print_log(f'{folder}: {len(names)} images found so far', 'current')
    return PathTable.from_names(sorted(names))


def _list_folder(folder):
    """Names (bytes) of the visible folders and files in `folder`; links count as what they lead to."""
    folders, files = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(b'.'):
                    continue
                # os.path.isdir is False for a link that leads nowhere or to itself; DirEntry's would raise
                is_folder = os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()
                (folders if is_folder else files).append(entry.name)
    except OSError as error:
        raise UserError(f'the folder {os.fsdecode(folder)} cannot be listed ({error.strerror}): '
                        'correct data_root and data_prefix, or make the folder readable') from error
    return folders, files


def read_coco_names(path):
    """Names in `images[].file_name` of a COCO json file, in its order.

    Args:
        path (str): the json file.

    Returns:
        PathTable: the names, possibly none.

    Raises:
        UserError: the file is no json, or an entry of `images` has no `file_name`.
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
        raise UserError(f'the annotation file {path} has an entry in "images" without a "file_name": '
                        'it is not a COCO json; use one, or a .txt list of paths') from error
