"""Reading checkpoints from anywhere without running what is in them, and writing them whole or not at all."""
import contextlib
import io
import os
import pickle
import tarfile
import warnings
import zipfile
from pathlib import Path

import torch

from mmssl_geo.utils.errors import UserError

from .safe_pickle import UnsafeGlobalError, safe_pickle

WRITABLE = ('.pth', '.safetensors')


def read_checkpoint(path, map_location='cpu', allow_code=False):
    """Contents of a checkpoint file.

    Args:
        path: a `.safetensors` file (told by its ending), else a file written by `torch.save`.
        map_location: where tensors go, as torch.load takes it.
        allow_code: unpickle without limits. Such a file can run any code: for files of your own making only.

    Returns:
        dict: as stored; a `.safetensors` file gives `state_dict` and `meta` (strings), as `write_checkpoint` took them.

    Raises:
        UserError: the file is missing, truncated or no checkpoint, or would need code to be run.
    """
    path = Path(path)
    if not path.is_file():
        what = 'is a folder; name a file in it' if path.is_dir() else 'no such file'
        raise UserError(f'checkpoint {path}: {what}')
    if path.stat().st_size == 0:
        raise UserError(f'checkpoint {path}: the file is empty')
    contents = _read_safetensors(path, map_location) if path.suffix == '.safetensors' else _read_torch(
        path, map_location, allow_code)
    if not isinstance(contents, dict):
        raise UserError(f'checkpoint {path}: holds a {type(contents).__name__}, not a dict of weights')
    return contents


def write_checkpoint(state_dict, path, meta):
    """Writes weights and facts about them; an interrupted write leaves no file and no half of one.

    Args:
        state_dict: name -> tensor.
        path: its ending says how: `.pth` (`dict(meta=..., state_dict=...)`, as mmengine lays it out) or `.safetensors`
            (meta as strings). Missing folders are made.
        meta: dict of plain values.

    Raises:
        UserError: another ending, or the place cannot be written to.
    """
    path = Path(path)
    if path.suffix not in WRITABLE:
        raise UserError(f'cannot write {path}: its name has to end in {" or ".join(WRITABLE)}')
    # clones: a view would take its whole storage along
    weights = {key: value.detach().cpu().clone(memory_format=torch.contiguous_format)
               for key, value in state_dict.items()}
    write_whole(path, _packed(weights, meta, path.suffix))


def write_whole(path, data):
    """Writes bytes; an interrupted write leaves no file and no half of one. Missing folders are made.

    Raises:
        UserError: the place cannot be written to.
    """
    path = Path(path)
    part = path.with_name(f'.{path.name}.{os.getpid()}.part')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        raise UserError(f'cannot write {path}: {error.strerror or error}') from error
    finally:
        with contextlib.suppress(OSError):  # where nothing can be written, nothing can be removed
            part.unlink(missing_ok=True)


def _packed(weights, meta, suffix):
    if suffix == '.safetensors':
        from safetensors.torch import save
        return save(weights, metadata={key: str(value) for key, value in meta.items()})
    buffer = io.BytesIO()
    torch.save(dict(meta=meta, state_dict=weights), buffer)
    return buffer.getvalue()


def _read_safetensors(path, map_location):
    from safetensors import SafetensorError, safe_open
    try:
        with safe_open(path, framework='pt', device=str(map_location)) as file:
            return dict(state_dict={key: file.get_tensor(key) for key in file.keys()}, meta=file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise UserError(f'checkpoint {path}: truncated, or not a safetensors file ({error})') from error


def _read_torch(path, map_location, allow_code):
    if not allow_code:
        _refuse_other_archives(path)
    try:
        with warnings.catch_warnings():
            # torch 2.4 and 2.5 warn of any load that is not weights_only; safe_pickle is as strict
            warnings.filterwarnings('ignore', message='.*weights_only', category=FutureWarning)
            return torch.load(
                path, map_location, pickle_module=pickle if allow_code else safe_pickle, weights_only=False)
    except UnsafeGlobalError as error:
        raise UserError(
            f'checkpoint {path}: needs code to be run ({error}), so it is not read. If you made it yourself or trust '
            'whoever did, allow it: --allow-unsafe (allow_code=True)') from error
    except Exception as error:  # bytes that are no checkpoint make unpickling fail in any way there is
        raise UserError(f'checkpoint {path}: truncated, or not a checkpoint ({_first_line(error)})') from error


def _refuse_other_archives(path):
    """torch.load hands TorchScript archives and tar files to readers of other kinds; those are not safe."""
    with open(path, 'rb') as file:
        is_zip = file.read(2) == b'PK'
    if is_zip and not zipfile.is_zipfile(path):
        raise UserError(f'checkpoint {path}: the file is truncated (its end is missing)')
    if is_zip:
        with zipfile.ZipFile(path) as archive:
            kind = 'TorchScript archive' if any(
                name.endswith('/constants.pkl') for name in archive.namelist()) else None
    else:
        kind = 'tar archive' if tarfile.is_tarfile(path) else None
    if kind:
        raise UserError(
            f'checkpoint {path}: is a {kind}, which cannot be read without running code; save its state_dict with '
            'torch.save, or, if you trust it, allow it: --allow-unsafe (allow_code=True)')


def _first_line(error):
    return str(error).split('\n', 1)[0] or type(error).__name__
