"""Reading of checkpoint files without running code from them, and atomic writing."""

import io
import os
import tarfile
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import write_bytes

from .safe_values import MalformedError, UnsafeGlobalError
from .torch_file import is_legacy, load_legacy, load_zip

WRITABLE_SUFFIXES = ('.pth', '.safetensors')
OTHER_ARCHIVE = (
    'checkpoint {path}: is a {kind}, and reading it would run code. Save its state_dict with torch.save, or, if you '
    'trust the file, allow this with --allow-unsafe (allow_code=True)'
)


def read_checkpoint(
    path: str | os.PathLike, map_location: str | torch.device = 'cpu', allow_code: bool = False
) -> dict[str, Any]:
    """Reads a checkpoint file.

    Args:
        path: A `.safetensors` file, recognised by its suffix, or else a file written by `torch.save`.
        map_location: Device of the tensors.
        allow_code: Whether to unpickle without restrictions. Such a file can run any code; use it only for a file you
            trust.

    Returns:
        The contents as stored. A `.safetensors` file gives `state_dict` and `meta`, whose values are strings.

    Raises:
        UserError: If the file is missing, truncated or not a checkpoint, or if reading it would run code.
    """
    path = Path(path)
    if not path.is_file():
        problem = 'is a folder; name a file in it' if path.is_dir() else 'no such file'
        problem = 'is not a regular file' if path.exists() and not path.is_dir() else problem
        raise UserError(f'checkpoint {path}: {problem}')
    if path.stat().st_size == 0:
        raise UserError(f'checkpoint {path}: the file is empty')
    if path.suffix == '.safetensors':
        contents: object = _read_safetensors(path, map_location)
    else:
        contents = _read_torch(path, map_location, allow_code)
    if not isinstance(contents, dict):
        raise UserError(f'checkpoint {path}: holds a {type(contents).__name__}, not a dict of weights')
    bad = [key for key in contents if not isinstance(key, str)]
    if bad:
        raise UserError(f'checkpoint {path}: has the key {bad[0]!r}, but the keys must be text')
    return contents


def write_checkpoint(state_dict: Mapping[str, Tensor], path: str | os.PathLike, meta: Mapping[str, Any]) -> None:
    """Writes weights and metadata atomically; creates missing parent folders.

    Args:
        state_dict: Tensors by key.
        path: File to write. The suffix selects the format: `.pth` holds `dict(meta=..., state_dict=...)` as in
            MMEngine, `.safetensors` holds the metadata as strings.
        meta: Plain values by name.

    Raises:
        UserError: If the suffix is unknown or the file cannot be written.
    """
    path = Path(path)
    if path.suffix not in WRITABLE_SUFFIXES:
        raise UserError(f'cannot write {path}: the file name must end in {" or ".join(WRITABLE_SUFFIXES)}')
    # Cloned: a view would be stored with its whole storage.
    weights = {
        key: value.detach().cpu().clone(memory_format=torch.contiguous_format) for key, value in state_dict.items()
    }
    write_bytes(path, _serialize(weights, meta, path.suffix))


def _serialize(weights: dict[str, Tensor], meta: Mapping[str, Any], suffix: str) -> bytes:
    if suffix == '.safetensors':
        from safetensors.torch import save

        return save(weights, metadata={key: str(value) for key, value in meta.items()})
    buffer = io.BytesIO()
    torch.save(dict(meta=meta, state_dict=weights), buffer)
    return buffer.getvalue()


def _read_safetensors(path: Path, map_location: str | torch.device) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework='pt', device=str(map_location)) as file:
            return dict(state_dict={key: file.get_tensor(key) for key in file.keys()}, meta=file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise UserError(f'checkpoint {path}: truncated, or not a safetensors file ({error})') from error


def _read_torch(path: Path, map_location: str | torch.device, allow_code: bool) -> object:
    try:
        if allow_code:
            with warnings.catch_warnings():
                # torch 2.4 and 2.5 warn about every load without weights_only.
                warnings.filterwarnings('ignore', message='.*weights_only', category=FutureWarning)
                return torch.load(path, map_location, weights_only=False)
        return _to_device(_read_safely(path), torch.device(map_location))
    except UnsafeGlobalError as error:
        raise UserError(
            f'checkpoint {path}: reading it would run code ({error}). If you trust the file, allow this with '
            '--allow-unsafe (allow_code=True)'
        ) from error
    except MalformedError as error:
        raise UserError(f'checkpoint {path}: cannot be read, since it holds {error}') from error
    except UserError:
        raise
    except Exception as error:  # unpickling other data can raise anything
        raise UserError(f'checkpoint {path}: truncated, or not a checkpoint ({_first_line(error)})') from error


def _read_safely(path: Path) -> object:
    with open(path, 'rb') as file:
        is_zip = file.read(2) == b'PK'
    if is_zip:
        if not zipfile.is_zipfile(path):
            raise UserError(f'checkpoint {path}: the file is truncated (its end is missing)')
        _refuse_torchscript(path)
        return _read_zip(path)
    if is_legacy(path):
        return load_legacy(path)
    if tarfile.is_tarfile(path):
        raise UserError(OTHER_ARCHIVE.format(path=path, kind='tar archive'))
    raise UserError(f'checkpoint {path}: not a checkpoint; expected a file of torch.save or a .safetensors file')


def _read_zip(path: Path) -> object:
    try:
        return load_zip(path)
    except zipfile.BadZipFile as error:
        if 'CRC' not in str(error):
            raise
        raise UserError(
            f'checkpoint {path}: damaged, since the checksum of a part is wrong ({error}); copy or download it again '
            '(a file written under torch.serialization.set_crc32_options(False) must be saved again without it)'
        ) from error


def _refuse_torchscript(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if any(name.endswith('/constants.pkl') for name in archive.namelist()):
            raise UserError(OTHER_ARCHIVE.format(path=path, kind='TorchScript archive'))


def _to_device(value: Any, device: torch.device) -> Any:  # noqa: ANN401  (any value of a checkpoint)
    """Moves the tensors of nested dicts, lists and tuples."""
    if device.type == 'cpu':
        return value
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, dict):
        for key, item in value.items():
            value[key] = _to_device(item, device)
    elif isinstance(value, list):
        value[:] = [_to_device(item, device) for item in value]
    elif type(value) is tuple:
        return tuple(_to_device(item, device) for item in value)
    return value


def _first_line(error: Exception) -> str:
    return str(error).split('\n', 1)[0] or type(error).__name__
