"""The proposals file of a data set: written once, read through the page cache by every worker.

A `.safetensors` file of these arrays (N images, sorted by the bytes of their names; M regions in all):

    names       (bytes,)  uint8    names relative to the image folder, one after the other
    name_ends   (N,)      int64    end of each name
    sizes       (N, 2)    int32    height and width of the upright source image; 0, 0 if it could not be read
    region_ends (N,)      int64    end of the regions of each image
    regions     (M, 4)    uint16   x1, y1, x2, y2: half-open boxes of whole source pixels, inside the image

and the metadata `mmssl_geo_proposals`, a json object of `format` and the facts (method, options, counts, version).
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import atomic_path

from .image_names import PathTable

FORMAT = 1
METADATA = 'mmssl_geo_proposals'
ARRAYS = ('names', 'name_ends', 'sizes', 'region_ends', 'regions')
EXAMPLES = 3


class RegionsFile:
    """Proposals of a data set, read row by row; no array is held in memory.

    It may be pickled and forked: every process maps the file again or shares the mapping.

    Args:
        path: Path of the file.

    Raises:
        UserError: If the file is missing, truncated or no proposals file, or its parts contradict each other.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = os.fspath(path)
        self._open()
        self._check()

    def __getstate__(self) -> dict[str, str]:
        return dict(path=self.path)

    def __setstate__(self, state: dict[str, str]) -> None:
        self.path = state['path']
        self._open()

    def _open(self) -> None:
        if not os.path.isfile(self.path):
            raise UserError(f'the proposals file {self.path} does not exist: make it with tools/make_proposals.py')
        try:
            self._file = safe_open(self.path, framework='numpy')
            self._parts = {name: self._file.get_slice(name) for name in ARRAYS}
        except (SafetensorError, OSError) as error:
            raise UserError(
                f'{self.path} is not a proposals file, or is truncated ({error}): '
                'make it again with tools/make_proposals.py'
            ) from error
        self.facts = json.loads((self._file.metadata() or {}).get(METADATA, '{}'))
        if self.facts.get('format') != FORMAT:
            raise UserError(
                f'{self.path} has the format {self.facts.get("format")}, not {FORMAT}: '
                'make it again with tools/make_proposals.py'
            )

    def _check(self) -> None:
        shapes = {name: tuple(part.get_shape()) for name, part in self._parts.items()}
        count = len(self)
        expected = dict(
            names=(self._last('name_ends'),),
            name_ends=(count,),
            sizes=(count, 2),
            region_ends=(count,),
            regions=(self._last('region_ends'), 4),
        )
        if shapes != expected:
            raise UserError(
                f'the parts of the proposals file {self.path} contradict each other ({shapes}): '
                'make it again with tools/make_proposals.py'
            )

    def _last(self, name: str) -> int:
        count = self._parts[name].get_shape()[0]
        return int(self._parts[name][count - 1 :][0]) if count else 0

    def __len__(self) -> int:
        return self._parts['name_ends'].get_shape()[0]

    def names(self) -> PathTable:
        """Returns the names of all images, as a copy in memory."""
        return PathTable(self._file.get_tensor('names'), self._file.get_tensor('name_ends'))

    def counts(self) -> np.ndarray:
        """Returns the number of regions of each image, as a copy in memory, int64, shape (N,)."""
        return np.diff(self._file.get_tensor('region_ends'), prepend=0)

    def __getitem__(self, row: int) -> tuple[np.ndarray, tuple[int, int]]:
        """Returns the regions of an image, uint16, shape (n, 4), and its height and width."""
        if not 0 <= row < len(self):
            raise IndexError(f'there is no image {row}: {self.path} has {len(self)}')
        ends = self._parts['region_ends'][max(row - 1, 0) : row + 1]
        begin, end = (int(ends[0]) if row else 0), int(ends[-1])
        height, width = self._parts['sizes'][row : row + 1][0].tolist()
        # safetensors refuses a slice without rows at the very end
        regions = self._parts['regions'][begin:end] if end > begin else np.empty((0, 4), np.uint16)
        return regions, (height, width)


def match_rows(file: RegionsFile, names: Sequence[str] | PathTable, max_missing: float) -> tuple[np.ndarray, str]:
    """Finds the row of every image of a data set in a proposals file.

    Args:
        file: The proposals file.
        names: Names of the images, relative to the image folder; compared literally.
        max_missing: Share of images without an entry above which the file does not fit.

    Returns:
        The rows, int64, shape (len(names),), -1 for an image without an entry; and a sentence about the mismatches,
        empty if there are none.

    Raises:
        UserError: If too many images have no entry, or no image has a region.
    """
    rows_of = {os.fsencode(name): row for row, name in enumerate(file.names())}
    rows = np.fromiter((rows_of.get(os.fsencode(name), -1) for name in names), np.int64, len(names))
    missing = np.flatnonzero(rows < 0)
    used = np.zeros(len(file), bool)
    used[rows[rows >= 0]] = True
    sentence = _mismatch(file, names, missing, np.flatnonzero(~used))
    if len(missing) > max_missing * len(names):
        raise UserError(
            f'{sentence}; that is more than max_missing={max_missing:g} allows: make the file for this image folder '
            '(tools/make_proposals.py), correct data_root or data_prefix, or raise max_missing'
        )
    without = int((file.counts()[rows[rows >= 0]] == 0).sum())
    if without + len(missing) == len(names):
        raise UserError(
            f'the proposals file {file.path} has no region for any of the {len(names)} images: make it '
            'with wider limits, or use GridRegions'
        )
    if without:
        empty = f'{without} of {len(names)} images have an entry without a region and get random grid regions'
        sentence = f'{sentence}; {empty}' if sentence else f'the proposals file {file.path}: {empty}'
    return rows, sentence


def _mismatch(file: RegionsFile, names: Sequence[str] | PathTable, missing: np.ndarray, extra: np.ndarray) -> str:
    parts = []
    if len(missing):
        parts.append(
            f'{len(missing)} of {len(names)} images have no entry in it '
            f'({_examples(names, missing)}) and get random grid regions'
        )
    if len(extra):
        parts.append(
            f'{len(extra)} of its {len(file)} entries belong to no image '
            f'({_examples(file.names(), extra)}) and are not used'
        )
    if len(parts) == 2:
        parts.append('an image renamed or moved since the file was made counts on both sides')
    return f'the proposals file {file.path} does not match the images: {"; ".join(parts)}' if parts else ''


def _examples(names: Sequence[str] | PathTable, indices: np.ndarray) -> str:
    named = ', '.join(names[int(index)] for index in indices[:EXAMPLES])
    return f'such as {named}' if len(indices) > EXAMPLES else named


def write_regions(
    path: str | os.PathLike,
    names: Sequence[bytes],
    sizes: ArrayLike,
    counts: ArrayLike,
    regions: ArrayLike,
    facts: dict[str, Any],
) -> None:
    """Writes a proposals file atomically.

    Args:
        path: Path of the file, ending in `.safetensors`.
        names: Encoded names, sorted and distinct.
        sizes: Height and width of every image, shape (N, 2).
        counts: Number of regions of every image, shape (N,).
        regions: Boxes of whole source pixels, image after image, shape (M, 4).
        facts: Plain values that describe how they were made.

    Raises:
        ValueError: If names are not sorted, or a region is empty or not inside its image.
        UserError: If the file system refuses to write.
    """
    if any(a >= b for a, b in zip(names, names[1:], strict=False)):
        raise ValueError('names must be sorted and all different')
    check_regions(sizes, counts, regions)
    table = PathTable.from_names(names)
    arrays = dict(
        names=table.buffer,
        name_ends=table.ends,
        sizes=np.asarray(sizes, np.int32),
        region_ends=np.cumsum(counts, dtype=np.int64),
        regions=np.asarray(regions, np.uint16),
    )
    # one key: safetensors writes several in random order, but the same facts must give the same bytes
    save_arrays(path, arrays, {METADATA: json.dumps(dict(facts, format=FORMAT))})


def check_regions(sizes: ArrayLike, counts: ArrayLike, regions: ArrayLike, step: int = 1_000_000) -> None:
    """Checks that no region is empty or outside its image (arguments as of `write_regions`).

    Raises:
        ValueError: Names the first wrong region.
    """
    sizes, counts, regions = np.asarray(sizes), np.asarray(counts), np.asarray(regions)
    ends = np.cumsum(counts)
    if len(sizes) != len(counts) or (ends[-1] if len(ends) else 0) != len(regions):
        raise ValueError(f'{len(sizes)} sizes and {len(counts)} counts do not fit {len(regions)} regions')
    for begin in range(0, len(regions), step):  # in steps, which avoids a copy of all of them
        boxes = np.asarray(regions[begin : begin + step], np.int64)
        rows = np.searchsorted(ends, np.arange(begin, begin + len(boxes)), side='right')
        good = (
            (boxes[:, :2] >= 0).all(1)
            & (boxes[:, :2] < boxes[:, 2:]).all(1)
            & (boxes[:, 2:] <= sizes[rows][:, ::-1]).all(1)
        )
        if not good.all():
            first = int(np.argmin(good))
            raise ValueError(
                f'region {boxes[first].tolist()} of image {rows[first]} is empty or not inside its '
                f'{sizes[rows[first]].tolist()} pixels'
            )


def save_arrays(path: str | os.PathLike, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Writes a `.safetensors` file atomically, with the mode of other new files.

    Raises:
        UserError: If the folder does not exist or the file system refuses to write.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise UserError(f'cannot write {path}: there is no folder {path.parent}')
    with atomic_path(path) as part:
        part.touch()
        mode = part.stat().st_mode
        try:
            save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, part, metadata)
        except SafetensorError as error:
            raise UserError(f'cannot write {path}: {error}') from error
        part.chmod(mode)  # safetensors lets only the owner read
