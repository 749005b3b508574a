"""Where images lie: each in a file of its own, or many of them in tar shards."""
import glob
import io
import os
import tarfile

import numpy as np
from mmengine.logging import print_log

from mmssl_geo.utils.errors import UserError

from .path_table import PathTable


class FileImages:
    """Images in files.

    Args:
        root (str): folder that the names are relative to.
        names (PathTable): the files.
    """

    def __init__(self, root, names):
        self.root = root
        self.names = names

    def path(self, index):
        """Path of an image."""
        return os.path.join(self.root, self.names[index])

    def open(self, index):
        """None: the path is all that a reader needs."""

    def stamp(self, index):
        """What changes when the file does: its size and time."""
        status = os.stat(self.path(index))
        return status.st_size, status.st_mtime_ns


class TarImages:
    """Images in tar files, as `tar` and webdataset write them; read by offset, in any order.

    The shards are read through once, header by header, when this is built. Workers share the tables' memory.

    Args:
        pattern (str): the tar files, `*`, `?` and `[]` stand for many; they are taken in sorted order.
        extensions (tuple[str]): lower-case endings of members that are images.

    Raises:
        UserError: there is no such file, or one is no uncompressed tar file.
    """

    def __init__(self, pattern, extensions):
        self.shards = sorted(glob.glob(pattern))
        if not self.shards:
            raise UserError(f'there is no tar file {pattern}: correct ann_file (it is taken relative to data_root)')
        names, places = [], []
        for number, shard in enumerate(self.shards):
            prefix = os.fsencode(os.path.basename(shard)) + b'/'
            for member in _members(shard):
                if member.isreg() and member.name.lower().endswith(extensions):
                    names.append(prefix + os.fsencode(member.name))
                    places.append((number, member.offset_data, member.size))
        print_log(f'{pattern}: {len(names)} images in {len(self.shards)} tar files', 'current')
        self.names = PathTable.from_names(names)
        self.places = np.array(places, np.int64).reshape(-1, 3)

    def path(self, index):
        """Path of the shard with the member's name below it."""
        return os.path.join(os.path.dirname(self.shards[0]), self.names[index])

    def open(self, index):
        """The member as a file in memory."""
        shard, offset, size = self.places[index].tolist()
        with open(self.shards[shard], 'rb') as file:
            file.seek(offset)
            return io.BytesIO(file.read(size))

    def stamp(self, index):
        """What changes when the shard does: its size and time."""
        status = os.stat(self.shards[self.places[index, 0]])
        return status.st_size, status.st_mtime_ns


def _members(shard):
    try:
        with tarfile.open(shard, 'r:') as file:
            for member in file:
                yield member
                file.members.clear()  # or the list of a million of them would stay
    except (tarfile.TarError, OSError) as error:
        raise UserError(f'{shard} is no whole, uncompressed tar file ({error}): unpack it, or write it anew') from error
