"""Storage of images: one file each, or many of them in tar shards."""

import glob
import io
import os
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from mmengine.logging import print_log

from mmssl_geo.utils.errors import UserError

from .image_names import PathTable


class FileImages:
    """Images in files.

    Args:
        root: Folder that the names are relative to.
        names: Names of the files.
    """

    def __init__(self, root: str, names: PathTable) -> None:
        self.root = root
        self.names = names

    def path(self, index: int) -> str:
        """Returns the path of an image."""
        return os.path.join(self.root, self.names[index])

    def open(self, index: int) -> BinaryIO | None:
        """Returns None: the path is all that a reader needs."""
        return None

    def stamp(self, index: int) -> tuple[int, int]:
        """Returns the size and modification time of the file."""
        status = os.stat(self.path(index))
        return status.st_size, status.st_mtime_ns


class TarImages:
    """Images in tar files, as `tar` and webdataset write them; read by offset, in any order.

    The constructor reads the headers of all shards once. Workers share the memory of the tables.

    Args:
        pattern: Path of the tar files, with the wildcards `*`, `?` and `[]`; they are taken in sorted order.
        extensions: Extensions of the members that are images, in lower case.

    Raises:
        UserError: If there is no such file, or one is not an uncompressed tar file.
    """

    def __init__(self, pattern: str, extensions: tuple[str, ...]) -> None:
        self.shards = sorted(glob.glob(pattern))
        if not self.shards:
            raise UserError(f'there is no tar file {pattern}: correct ann_file (it is relative to data_root)')
        names: list[bytes] = []
        places: list[tuple[int, int, int]] = []
        for number, shard in enumerate(self.shards):
            prefix = os.fsencode(os.path.basename(shard)) + b'/'
            for member in _members(shard):
                if member.isreg() and member.name.lower().endswith(extensions):
                    names.append(prefix + os.fsencode(member.name))
                    places.append((number, member.offset_data, member.size))
        print_log(f'{pattern}: {len(names)} images in {len(self.shards)} tar files', 'current')
        self.names = PathTable.from_names(names)
        self.places = np.array(places, np.int64).reshape(-1, 3)  # shard, offset, size

    def path(self, index: int) -> str:
        """Returns the path of the shard followed by the name of the member."""
        return os.path.join(os.path.dirname(self.shards[0]), self.names[index])

    def open(self, index: int) -> BinaryIO | None:
        """Reads the member into a file in memory."""
        shard, offset, size = self.places[index].tolist()
        with open(self.shards[shard], 'rb') as file:
            file.seek(offset)
            return io.BytesIO(file.read(size))

    def stamp(self, index: int) -> tuple[int, int]:
        """Returns the size and modification time of the shard."""
        status = os.stat(self.shards[self.places[index, 0]])
        return status.st_size, status.st_mtime_ns


def _members(shard: str) -> Iterator[tarfile.TarInfo]:
    try:
        with tarfile.open(shard, 'r:') as file:
            for member in file:
                yield member
                file.members.clear()  # type: ignore[attr-defined]  # a list of a million members would stay
    except (tarfile.TarError, OSError) as error:
        raise UserError(
            f'{shard} is not a complete, uncompressed tar file ({error}): unpack it, or write it again'
        ) from error
