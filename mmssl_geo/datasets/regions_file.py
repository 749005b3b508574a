"""The file that holds the proposals of a data set: written once, read through the page cache by every worker.

A `.safetensors` file of these arrays (N images, sorted by the bytes of their names; M regions in all):

    names       (bytes,)  uint8    the names, relative to the image folder, one after the other
    name_ends   (N,)      int64    where each name ends
    sizes       (N, 2)    int32    height and width of the upright source image; 0, 0: it could not be read
    region_ends (N,)      int64    where the regions of each image end
    regions     (M, 4)    uint16   x1, y1, x2, y2: half-open boxes of whole source pixels, inside the image

and the metadata `mmssl_geo_proposals`, a json object: `format`, and the facts (method, options, counts, version).
"""
import json
import os
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mmssl_geo.utils.errors import UserError

from .path_table import PathTable

FORMAT = 1
METADATA = 'mmssl_geo_proposals'
ARRAYS = ('names', 'name_ends', 'sizes', 'region_ends', 'regions')


class RegionsFile:
    """Proposals of a data set, read row by row; nothing of their size is held in memory.

    May be pickled and forked: every process maps the file anew or shares the mapping.

    Args:
        path: the file.

    Raises:
        UserError: it is missing, truncated, of another kind, or its parts contradict each other.
    """

    def __init__(self, path):
        self.path = os.fspath(path)
        self._open()
        self._check()

    def __getstate__(self):
        return dict(path=self.path)

    def __setstate__(self, state):
        self.path = state['path']
        self._open()

    def _open(self):
        if not os.path.isfile(self.path):
            raise UserError(f'the proposals file {self.path} does not exist: make it with tools/make_proposals.py')
        try:
            self._file = safe_open(self.path, framework='numpy')
            self._parts = {name: self._file.get_slice(name) for name in ARRAYS}
        except (SafetensorError, OSError) as error:
            raise UserError(f'{self.path} is no proposals file, or is truncated ({error}): '
                            'make it anew with tools/make_proposals.py') from error
        self.facts = json.loads((self._file.metadata() or {}).get(METADATA, '{}'))
        if self.facts.get('format') != FORMAT:
            raise UserError(f'{self.path} has the format {self.facts.get("format")}, not {FORMAT}: '
                            'make it anew with tools/make_proposals.py')

    def _check(self):
        shapes = {name: tuple(part.get_shape()) for name, part in self._parts.items()}
        count = len(self)
        wanted = dict(
            names=(self._last('name_ends'), ), name_ends=(count, ), sizes=(count, 2), region_ends=(count, ),
            regions=(self._last('region_ends'), 4))
        if shapes != wanted:
            raise UserError(f'the parts of the proposals file {self.path} contradict each other ({shapes}): '
                            'make it anew with tools/make_proposals.py')

    def _last(self, name):
        count = self._parts[name].get_shape()[0]
        return int(self._parts[name][count - 1:][0]) if count else 0

    def __len__(self):
        return self._parts['name_ends'].get_shape()[0]

    def names(self):
        """Names of all images (`PathTable`), in memory of the caller's."""
        return PathTable(self._file.get_tensor('names'), self._file.get_tensor('name_ends'))

    def counts(self):
        """How many regions each image has, `(N,)` int64, in memory of the caller's."""
        return np.diff(self._file.get_tensor('region_ends'), prepend=0)

    def __getitem__(self, row):
        """Regions `(n, 4)` uint16 of one image, and its `(height, width)`."""
        if not 0 <= row < len(self):
            raise IndexError(f'there is no image {row}: {self.path} has {len(self)}')
        ends = self._parts['region_ends'][max(row - 1, 0):row + 1]
        begin, end = (int(ends[0]) if row else 0), int(ends[-1])
        height, width = self._parts['sizes'][row:row + 1][0].tolist()
        # safetensors refuses a slice without rows at the very end
        regions = self._parts['regions'][begin:end] if end > begin else np.empty((0, 4), np.uint16)
        return regions, (height, width)


def write_regions(path, names, sizes, counts, regions, facts):
    """Writes a proposals file; an interrupted write leaves no file and no half of one.

    Args:
        path: the file, ending in `.safetensors`.
        names: list of `bytes`, sorted, all different.
        sizes: `(N, 2)` height and width of every image.
        counts: `(N,)` regions of every image.
        regions: `(M, 4)` boxes of whole source pixels, image after image.
        facts: dict of plain values about how they were made.

    Raises:
        ValueError: names out of order, or a region that is empty or not inside its image.
        UserError: the place cannot be written to.
    """
    if any(a >= b for a, b in zip(names, names[1:], strict=False)):
        raise ValueError('names have to be sorted and all different')
    check_regions(sizes, counts, regions)
    table = PathTable.from_names(names)
    arrays = dict(
        names=table.buffer, name_ends=table.ends, sizes=np.asarray(sizes, np.int32),
        region_ends=np.cumsum(counts, dtype=np.int64), regions=np.asarray(regions, np.uint16))
    # one key: safetensors writes several in random order, and the same facts shall give the same bytes
    save_arrays(path, arrays, {METADATA: json.dumps(dict(facts, format=FORMAT))})


def check_regions(sizes, counts, regions, step=1_000_000):
    """Raises a ValueError if a region is empty or not inside its image (arguments as of `write_regions`)."""
    ends = np.cumsum(counts)
    if len(sizes) != len(counts) or (ends[-1] if len(ends) else 0) != len(regions):
        raise ValueError(f'{len(sizes)} sizes and {len(counts)} counts do not fit {len(regions)} regions')
    sizes = np.asarray(sizes)
    for begin in range(0, len(regions), step):  # in steps: no copy of all of them
        boxes = np.asarray(regions[begin:begin + step], np.int64)
        rows = np.searchsorted(ends, np.arange(begin, begin + len(boxes)), side='right')
        good = (boxes[:, :2] >= 0).all(1) & (boxes[:, :2] < boxes[:, 2:]).all(1) & (
            boxes[:, 2:] <= sizes[rows][:, ::-1]).all(1)
        if not good.all():
            first = int(np.argmin(good))
            raise ValueError(f'region {boxes[first].tolist()} of image {rows[first]} is empty or not inside its '
                             f'{sizes[rows[first]].tolist()} pixels')


def save_arrays(path, arrays, metadata):
    """Writes a `.safetensors` file under another name first, so that it is there as a whole or not at all.

    Raises:
        UserError: the place cannot be written to.
    """
    path = Path(path)
    part = path.with_name(f'.{path.name}.{os.getpid()}.part')
    try:
        part.touch()
        mode = part.stat().st_mode
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, part, metadata)
        part.chmod(mode)  # safetensors lets only the owner read
        os.replace(part, path)
    except (OSError, SafetensorError) as error:
        raise UserError(f'cannot write {path}: {error}') from error
    finally:
        part.unlink(missing_ok=True)
