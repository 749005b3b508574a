"""Decoded images, kept on a disk or in RAM for the next epoch."""
import hashlib
import os

import numpy as np

from ..errors import UserError

BLOCK = 2**16


class ImageCache:
    """Decoded images as `.npy` files in a folder, shared by all workers and processes, and by later runs.

    On a RAM disk (such as `/dev/shm/cache`) it is a cache in memory. When it is full, further images are decoded every
    time; nothing is thrown out, as every image comes once an epoch.

    Args:
        folder (str): made if it is not there; delete it to empty the cache.
        max_gb (float): size at which nothing more is added, in 10^9 bytes; each worker may exceed it by one image.

    Raises:
        UserError: the folder cannot be made, or the size is not positive.
    """

    def __init__(self, folder, max_gb):
        if not max_gb > 0:
            raise UserError(f'cache.max_gb must be positive, got {max_gb}')
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise UserError(f'the cache folder {folder} cannot be made ({error.strerror}): '
                            'correct dataset.cache.folder') from error
        self.folder = folder
        self.max_bytes = max_gb * 1e9

    def get(self, *key):
        """The image `(H, W, 3)` uint8 stored under this key, or None."""
        try:
            return np.load(self._path(key))
        except FileNotFoundError:
            return None

    def put(self, image, *key):
        """Stores an image while there is room."""
        # A ledger of one byte a block: its size says what is used, and appending is safe among processes.
        ledger = os.path.join(self.folder, 'blocks')
        blocks = -(-image.nbytes // BLOCK)
        with open(ledger, 'ab') as file:
            if (os.fstat(file.fileno()).st_size + blocks) * BLOCK > self.max_bytes:
                return
            file.write(b'.' * blocks)
        path = self._path(key)
        unfinished = f'{path}.{os.getpid()}'
        with open(unfinished, 'wb') as file:
            np.save(file, image)
        os.replace(unfinished, path)  # readers see whole files only

    def _path(self, key):
        return os.path.join(self.folder, hashlib.sha1(repr(key).encode()).hexdigest() + '.npy')
