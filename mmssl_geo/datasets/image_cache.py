"""Decoded images, kept on a disk or in RAM for the next epoch."""
import contextlib
import hashlib
import logging
import os

import numpy as np
from mmengine.logging import print_log

from mmssl_geo.utils.errors import UserError

BLOCK = 2**16


class ImageCache:
    """Decoded images as `.npy` files in a folder, shared by all workers and processes, and by later runs.

    On a RAM disk (such as `/dev/shm/cache`) it is a cache in memory. When it is full, further images are decoded every
    time; nothing is thrown out, as every image comes once an epoch.

    Args:
        folder (str): made if it is not there; delete it between runs to empty the cache.
        max_gb (float): size at which nothing more is added, in 10^9 bytes; each worker may exceed it by one image.

    Raises:
        UserError: the folder cannot be made, or the size is not positive.
    """

    def __init__(self, folder, max_gb):
        if not isinstance(max_gb, (int, float)) or not max_gb > 0:
            raise UserError(f'dataset.cache.max_gb must be a positive number of gigabytes, got {max_gb!r}')
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise UserError(f'the cache folder {folder} cannot be made ({error.strerror}): '
                            'correct dataset.cache.folder') from error
        self.folder = folder
        self.max_bytes = max_gb * 1e9

    def get(self, *key):
        """The image `(H, W, 3)` uint8 stored under this key, or None; a damaged entry is thrown away."""
        path = self._path(key)
        try:
            return np.load(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError):  # cut off, as by a full disk or a power cut
            with contextlib.suppress(OSError):
                os.unlink(path)
            return None

    def put(self, image, *key):
        """Stores an image while there is room. A disk that takes no more ends the storing, not the run."""
        if not self.max_bytes:
            return
        path = self._path(key)
        unfinished = f'{path}.{os.getpid()}'
        try:
            self._store(image, path, unfinished)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(unfinished)
            self.max_bytes = 0
            print_log(f'the image cache {self.folder} takes no more ({error.strerror or error}): further images are '
                      'decoded every time', 'current', logging.WARNING)

    def _store(self, image, path, unfinished):
        # A ledger of one byte a block: its size says what is used, and appending is safe among processes.
        blocks = -(-image.nbytes // BLOCK)
        with open(os.path.join(self.folder, 'blocks'), 'ab') as ledger:
            if (os.fstat(ledger.fileno()).st_size + blocks) * BLOCK > self.max_bytes:
                return
            with open(unfinished, 'wb') as file:
                np.save(file, image)
            if os.path.exists(path):  # another run was faster, and has paid
                os.unlink(unfinished)
                return
            os.replace(unfinished, path)  # readers see whole files only
            ledger.write(b'.' * blocks)

    def _path(self, key):
        return os.path.join(self.folder, hashlib.sha1(repr(key).encode()).hexdigest() + '.npy')
