"""Safe reading of every checkpoint that mmengine loads: `load_from`, `resume` and each `init_cfg` of a model.

mmengine reads a file without restrictions if restricted reading fails, which runs code from the file. Importing
`mmssl_geo.engine` replaces the loaders of mmengine's `CheckpointLoader` by `read_checkpoint`.
"""

import functools
import re
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import barrier, get_rank
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

from mmssl_geo.checkpoints import read_checkpoint
from mmssl_geo.checkpoints.layouts import strip_wrappers
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import atomic_path


def install_safe_loaders(allow_code: bool = False) -> None:
    """Replaces the loaders of all of mmengine's schemes (local files, URLs, model zoos) in this process.

    Files in the formats that `read_checkpoint` supports are read, `.safetensors` included. Prefixes that wrappers such
    as DDP, FSDP and `torch.compile` add to keys are removed.

    Args:
        allow_code: Whether files may run code while they load; only for files you trust.
    """
    for scheme in list(CheckpointLoader._schemes):
        find = next((find for prefix, find in _SCHEMES.items() if prefix in scheme), _not_supported if scheme else str)
        loader = functools.partial(_load, find, allow_code, scheme)
        loader.__name__ = 'load_from_' + (scheme or 'local')  # type: ignore[attr-defined]  # mmengine logs it
        CheckpointLoader.register_scheme(scheme, loader, force=True)


def _load(
    find: Callable[[str], str],
    allow_code: bool,
    scheme: str,
    filename: str,
    map_location: Any = None,  # noqa: ANN401  (as of torch.load)
) -> dict[str, Any]:
    """Replaces a loader of mmengine; `map_location` may be a function there, which then means the CPU."""
    device = map_location if isinstance(map_location, (str, torch.device)) else 'cpu'
    checkpoint = read_checkpoint(find(filename), device, allow_code)
    state = checkpoint.get('state_dict', checkpoint)
    if not isinstance(state, dict):
        raise UserError(f'checkpoint {filename}: state_dict holds a {type(state).__name__}, not weights by key')
    other = [key for key in state if not isinstance(key, str)]
    if other:
        raise UserError(f'checkpoint {filename}: state_dict has the key {other[0]!r}, but the keys must be text')
    metadata = getattr(state, '_metadata', None)
    for key in list(state):
        state[strip_wrappers(key, inner_module=False)] = state.pop(key)  # keeps the order
    if metadata is not None:
        metadata = {strip_wrappers(f'{key}.', inner_module=False).rstrip('.'): value for key, value in metadata.items()}
        state._metadata = metadata  # type: ignore[attr-defined]
    if scheme.startswith('mmcls'):  # a classifier, of which mmengine keeps the backbone
        checkpoint = {
            'state_dict': {
                key.removeprefix('backbone.'): value for key, value in state.items() if key.startswith('backbone.')
            }
        }
    return checkpoint


def _download(url: str) -> str:
    """Downloads a file to torch's cache unless it is there, once per machine and run."""
    path = Path(torch.hub.get_dir()) / 'checkpoints' / Path(url.split('?')[0]).name
    if get_rank() == 0 and not path.exists():
        digest = re.search(r'-([0-9a-f]{8,64})\.', path.name)
        with atomic_path(path) as part:
            try:
                torch.hub.download_url_to_file(url, str(part), digest[1] if digest else None, progress=False)
            except (urllib.error.URLError, OSError, RuntimeError, ValueError) as error:
                raise UserError(f'checkpoint {url}: cannot be downloaded ({error}); name a local file') from error
    barrier()
    return str(path)


def _from_zoo(urls: Callable[[], dict[str, str]], filename: str) -> str:
    """Returns the path of a file that a model zoo of mmengine names."""
    name = filename.partition('://')[2]
    name = mmengine_checkpoint.get_deprecated_model_names().get(name, name)
    source = urls().get(name)
    if source is None:
        raise UserError(f'checkpoint {filename}: the model zoo has no {name}')
    is_url = source.startswith(('http://', 'https://'))
    return _download(source) if is_url else str(Path(mmengine_checkpoint._get_mmengine_home()) / source)


def _not_supported(filename: str) -> str:
    raise UserError(f'checkpoint {filename}: this storage is not supported; copy the file to a disk and name its path')


_SCHEMES: dict[str, Callable[[str], str]] = {
    'http': _download,
    'torchvision:': functools.partial(_from_zoo, lambda: mmengine_checkpoint.get_torchvision_models()),
    'modelzoo:': functools.partial(_from_zoo, lambda: mmengine_checkpoint.get_torchvision_models()),
    'mmlab:': functools.partial(_from_zoo, lambda: mmengine_checkpoint.get_external_models()),
    'mmcls:': functools.partial(_from_zoo, lambda: mmengine_checkpoint.get_mmcls_models()),
}
