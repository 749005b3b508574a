"""Atomic writing of the files that mmengine writes on local disks, such as checkpoints."""

import os

from mmengine.fileio import LocalBackend, register_backend

from mmssl_geo.utils.io import write_bytes


class AtomicLocalBackend(LocalBackend):
    """mmengine's backend for local files, except that a file is there as a whole or not at all."""

    def put(self, obj: bytes, filepath: str | os.PathLike) -> None:
        """Writes bytes.

        Raises:
            UserError: If the file system refuses to write, for example because the disk is full.
        """
        write_bytes(filepath, obj)

    def put_text(self, obj: str, filepath: str | os.PathLike, encoding: str = 'utf-8') -> None:
        """Writes text.

        Raises:
            UserError: If the file system refuses to write.
        """
        write_bytes(filepath, obj.encode(encoding))


def install_atomic_backend() -> None:
    """Makes mmengine write local files by `AtomicLocalBackend` in this process."""
    register_backend('local', AtomicLocalBackend, force=True, prefixes='')
