"""Cache of decoded images on a disk or in RAM."""

import contextlib
import hashlib
import logging
import os

import numpy as np
from mmengine.logging import print_log

from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import atomic_path

BLOCK = 2**16


class ImageCache:
    """Decoded images as `.npy` files in a folder, shared by all workers and processes, and by later runs.

    On a RAM disk (such as `/dev/shm/cache`) it is a cache in memory. When it is full, further images are decoded every
    time; nothing is evicted, since every image is used once per epoch.

    Args:
        folder: Folder of the cache, created if missing. Delete it between runs to empty the cache.
        max_gb: Size at which nothing more is added, in 10^9 bytes; each worker may exceed it by one image.

    Raises:
        UserError: If the folder cannot be created or the size is not positive.
    """

    def __init__(self, folder: str, max_gb: float) -> None:
        if not isinstance(max_gb, (int, float)) or not max_gb > 0:
            raise UserError(f'dataset.cache.max_gb must be a positive number of gigabytes, got {max_gb!r}')
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise UserError(
                f'the cache folder {folder} cannot be created ({error.strerror}): correct dataset.cache.folder'
            ) from error
        self.folder = folder
        self.max_bytes = max_gb * 1e9

    def get(self, *key: object) -> np.ndarray | None:
        """Returns the image of this key, uint8, shape (H, W, 3), or None; deletes a damaged entry."""
        path = self._path(key)
        try:
            return np.load(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError):  # truncated, by a full disk or a power failure
            with contextlib.suppress(OSError):
                os.unlink(path)
            return None

    def put(self, image: np.ndarray, *key: object) -> None:
        """Stores an image if there is room. A write error disables the cache and does not stop the run."""
        if not self.max_bytes:
            return
        try:
            self._store(image, self._path(key))
        except (OSError, UserError) as error:
            self.max_bytes = 0
            print_log(
                f'the image cache {self.folder} is disabled ({getattr(error, "strerror", None) or error}): '
                'further images are decoded every time',
                'current',
                logging.WARNING,
            )

    def _store(self, image: np.ndarray, path: str) -> None:
        # The size of a ledger of one byte per block is what is used; several processes can safely append to it.
        blocks = -(-image.nbytes // BLOCK)
        with open(os.path.join(self.folder, 'blocks'), 'ab') as ledger:
            if (os.fstat(ledger.fileno()).st_size + blocks) * BLOCK > self.max_bytes:
                return
            with atomic_path(path) as part:  # keeps the suffix .npy, which numpy would append otherwise
                np.save(part, image)
                is_new = not os.path.exists(path)  # otherwise another process was faster, and has counted it
            if is_new:
                ledger.write(b'.' * blocks)

    def _path(self, key: tuple[object, ...]) -> str:
        return os.path.join(self.folder, hashlib.sha1(repr(key).encode()).hexdigest() + '.npy')
