"""Files of a labelled data set: which are missing, which are opened, sizes of images."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

MAX_NAMES = 3
"""Names in one message."""
MAX_OPENED = 100
"""Images, label maps and .xml files that are opened: all of a smaller split, else this many, evenly spaced."""
TRANSPOSED = (5, 6, 7, 8)
"""EXIF orientations that swap height and width."""
ORIENTATION_TAG = 0x0112

T = TypeVar('T')


def some(words: Sequence[object], quoted: bool = False) -> str:
    """Lists the first words, and how many more there are."""
    shown = ', '.join(repr(word) if quoted else str(word) for word in words[:MAX_NAMES])
    return shown + (f', and {len(words) - MAX_NAMES} more' if len(words) > MAX_NAMES else '')


def sample(items: Sequence[T], size: int = MAX_OPENED) -> list[T]:
    """Returns all items of a short sequence, else `size` of them, evenly spaced."""
    if len(items) <= size:
        return list(items)
    return [items[index] for index in np.linspace(0, len(items) - 1, size).astype(int)]


def missing_files(paths: Sequence[Path], what: str) -> list[str]:
    """Returns a sentence on the files that do not exist, if any. Each folder is listed once."""
    folders: dict[Path, set[str]] = {}
    missing: list[Path] = []
    for path in paths:
        if path.parent not in folders:
            folders[path.parent] = set(os.listdir(path.parent)) if path.parent.is_dir() else set()
        if path.name not in folders[path.parent]:
            missing.append(path)
    if not missing:
        return []
    return [f'{len(missing)} of {len(paths)} {what} are missing: {some(missing)}{_hint(missing[0], folders)}']


def _hint(path: Path, folders: dict[Path, set[str]]) -> str:
    """Returns what the name of an existing file suggests about a missing one."""
    names = folders[path.parent]
    if not path.suffix:
        return ' (its name has no extension)'
    if path.stem in names and Path(path.stem).suffix:
        return f' (there is {path.stem}: the list must name files without their extension)'
    same = sorted(name for name in names if Path(name).stem.lower() == path.stem.lower())
    if same:
        return f' (there is {same[0]})'
    if (path.parent / path.parent.name).is_dir() or path.parent.is_dir():
        return ''
    return ' (there is no such folder)'


def image_size(path: Path) -> tuple[tuple[int, int], bool]:
    """Reads the header of an image.

    Returns:
        Height and width as OpenMMLab reads the image, that is turned upright by its EXIF orientation; and whether
        that orientation swaps them.

    Raises:
        OSError: If the file is not an image.
    """
    with Image.open(path) as image:
        swapped = image.getexif().get(ORIENTATION_TAG) in TRANSPOSED
        width, height = image.size
    return ((width, height) if swapped else (height, width)), swapped
