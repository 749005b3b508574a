"""The files of `torch.save`, read without `torch.load`: nothing is built before its size is checked against the file.

Reads the zip format (torch >= 1.6) with the checksums of its records, and the older format, which has no checksums.
"""

import io
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import torch

from .safe_arrays import Storage, StorageType
from .safe_pickle import safe_load
from .safe_values import require

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
SHARED_TENSORS = 8  # tensors may claim this many times the file's size, since several can share a storage
SLACK = 2**20
_LOCATIONS = ('cpu', 'cuda', 'xpu', 'mps', 'npu', 'mlu', 'musa')


def load_zip(path: str | os.PathLike) -> object:
    """Reads a file in the zip format.

    Args:
        path: The file.

    Returns:
        The contents, tensors on the CPU.

    Raises:
        pickle.UnpicklingError: If it holds something that is unsafe, malformed or not supported.
        zipfile.BadZipFile: If it is damaged.
    """
    size = Path(path).stat().st_size
    with zipfile.ZipFile(path) as archive:
        records = archive.infolist()
        require(all(record.compress_type == zipfile.ZIP_STORED for record in records), 'compressed records')
        require(sum(record.file_size for record in records) <= size, 'records larger than the file')
        require(len({record.filename for record in records}) == len(records), 'two records of the same name')
        names = [record.filename for record in records if record.filename.count('/') == 1]
        roots = [name.removesuffix('/data.pkl') for name in names if name.endswith('/data.pkl')]
        require(len(roots) == 1, 'no record data.pkl, so it is another kind of archive')
        root = roots[0]
        if f'{root}/byteorder' in names:
            require(archive.read(f'{root}/byteorder') == b'little', 'tensors of a big-endian machine')
        by_name: Any = {record.filename: record for record in records}
        storages: dict[str, Storage] = {}

        def resolve(pid: Any) -> Storage:
            dtype, key, nbytes, _ = _parse_id(pid)
            if key not in storages:
                record = by_name.get(f'{root}/data/{key}')
                require(record is not None and record.file_size == nbytes, f'no values for the storage {key!s:.40}')
                untyped = torch.UntypedStorage(nbytes)
                with archive.open(record) as stream:
                    _fill(untyped, stream)
                storages[key] = Storage(dtype, untyped)
            return _as_type(storages[key], dtype, nbytes)

        return safe_load(archive.read(f'{root}/data.pkl'), resolve, SHARED_TENSORS * size + SLACK)


def is_legacy(path: str | os.PathLike) -> bool:
    """Returns whether a file starts as one of the format before torch 1.6."""
    with open(path, 'rb') as file:
        return file.read(15).startswith(b'\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19')


def load_legacy(path: str | os.PathLike) -> object:
    """Reads a file in the format before torch 1.6.

    Args:
        path: The file.

    Returns:
        The contents, tensors on the CPU.

    Raises:
        pickle.UnpicklingError: If it holds something that is unsafe, malformed or not supported.
        Exception: Of any type, if it is damaged.
    """
    data = io.BytesIO(Path(path).read_bytes())
    size = len(data.getbuffer())
    storages: dict[str, Storage] = {}
    claimed = 0

    def resolve(pid: Any) -> Storage:
        nonlocal claimed
        dtype, key, nbytes, view = _parse_id(pid)
        require(view is None, 'views of storages, as torch < 0.4 wrote them')
        if key not in storages:
            claimed += nbytes
            require(claimed <= size, 'storages larger than the file; the file may be truncated')
            storages[key] = Storage(dtype, torch.UntypedStorage(nbytes))
        return _as_type(storages[key], dtype, nbytes)

    magic, protocol, system = (safe_load(data) for _ in range(3))
    require(magic == LEGACY_MAGIC and protocol == 1001, 'an unknown version of the format')
    little = system.get('little_endian') if isinstance(system, dict) else None
    require(little is True, 'tensors of a big-endian machine')
    contents = safe_load(data, resolve, SHARED_TENSORS * size + SLACK)
    keys: Any = safe_load(data)
    require(type(keys) is list and set(map(str, keys)) == set(storages), 'storages that no tensor uses')
    for key in keys:
        storage = storages[str(key)]
        numel = struct.unpack('<q', data.read(8))[0]
        require(numel == storage.numel, f'no values for the storage {key!s:.40}')
        _fill(storage.untyped, data)
    return contents


def _parse_id(pid: Any) -> tuple[torch.dtype, str, int, object]:
    """Returns the type, key, size in bytes and view of a storage."""
    require(type(pid) is tuple and len(pid) in (5, 6) and pid[0] == 'storage', 'an unknown kind of reference')
    _, kind, key, location, numel, *view = pid
    require(isinstance(kind, StorageType), 'a storage of an unknown type')
    require(type(key) is str and type(numel) is int and 0 <= numel < 2**50, 'a storage of an impossible size')
    require(type(location) is str, 'a storage without a device')
    device = location.split(':')[0]
    require(device != 'meta', 'tensors on the device "meta", which have no values')
    require(device in _LOCATIONS, f'tensors of the unknown device {location!s:.40}')
    dtype = kind.dtype or torch.uint8
    return dtype, key, numel * dtype.itemsize, view[0] if view else None


def _as_type(storage: Storage, dtype: torch.dtype, nbytes: int) -> Storage:
    require(storage.untyped.nbytes() == nbytes, 'a storage of two sizes')
    return storage if storage.dtype == dtype else Storage(dtype, storage.untyped)


def _fill(untyped: torch.UntypedStorage, stream: Any) -> None:
    """Reads a storage; the end of a record also checks its checksum."""
    if untyped.nbytes():
        values = torch.empty(0, dtype=torch.uint8).set_(untyped)
        view, done = values.numpy().data.cast('B'), 0
        while done < len(view):
            count = stream.readinto(view[done : done + SLACK])
            require(count, 'fewer bytes than its storages need: it is truncated')
            done += count
    if isinstance(stream, zipfile.ZipExtFile):
        stream.read(1)
