"""Conversion of a pretraining checkpoint into the file that a downstream package loads."""

import os
from pathlib import Path
from typing import Any

from mmssl_geo.checkpoints.formats.hub import write_hub_folder
from mmssl_geo.checkpoints.formats.onnx import require_onnx, write_onnx
from mmssl_geo.utils.errors import UserError
from mmssl_geo.utils.io import atomic_path
from mmssl_geo.version import __version__

from .architecture import Architecture, ArchSpec, StateDict
from .encoder import load_source
from .io import WRITABLE_SUFFIXES, write_checkpoint
from .report import ConversionReport
from .verify import verify

TARGETS = ('mmpretrain', 'mmdet', 'mmseg', 'timm', 'huggingface', 'onnx')


def convert(
    src: str | os.PathLike,
    dst: str | os.PathLike,
    target: str,
    weights: str = 'teacher',
    num_heads: int | None = None,
    patch_size: int | None = None,
    allow_code: bool = False,
) -> ConversionReport:
    """Writes one encoder of a checkpoint for a downstream package and verifies that its features are unchanged.

    Keys have no prefix. For `mmpretrain`, `mmdet` and `mmseg`, a ViT gets the keys of `mmpretrain.VisionTransformer`
    (give the file to the backbone's `init_cfg` without `prefix`); for `timm` those of timm's `VisionTransformer` with
    `num_classes=0`. The dense packages use the blocks' outputs, so their files lack the final LayerNorm. A ResNet gets
    the keys of the package's own `ResNet`, without the classifier. `huggingface` is timm's network as a folder (see
    `formats.hub`). `onnx` is the network itself: from images to `cls` and `map` (after the final LayerNorm) of a ViT at
    its native size, or to `c2` to `c5` of a ResNet at any size.

    Args:
        src: A checkpoint of a known layout (`layouts.LAYOUTS`).
        dst: File to write, `.pth` or `.safetensors` (`.onnx` for ONNX); an existing file is replaced once the new one
            is verified. For `huggingface` a new or empty folder.
        target: One of `TARGETS`.
        weights: 'teacher' (the EMA weights, from which downstream models start) or 'student'.
        num_heads: Number of attention heads; needed for a ViT if neither the file nor the rule of 64 channels per head
            determines it.
        patch_size: Patch size of a ViT in pixels; only checked against the weights.
        allow_code: Whether to read a file that runs code when it is read; only for a file you trust.

    Returns:
        What was kept, renamed and dropped, and the measured differences of the features.

    Raises:
        UserError: If the source is unreadable or has no known layout, an option is wrong, weights do not fit or are not
            finite, or the features differ. `dst` is then unchanged.
    """
    src, dst = Path(src), Path(dst)
    _check_request(src, dst, target)
    source = load_source(src, weights, num_heads, patch_size, allow_code)
    match, spec = source.match, source.spec
    try:
        converted, key_map = match.architecture.export(match.state_dict, match.key_style, spec, target)
    except UserError as error:
        raise UserError(f'checkpoint {src}: {error}') from error
    meta = dict(spec.meta, source=f'{src.name} ({source.description})', target=target, mmssl_geo_version=__version__)
    with atomic_path(dst) as part:
        _write(match.architecture, converted, spec, part, target, meta)
        differences = verify(load_source(src, weights, num_heads, patch_size, allow_code), part, target)
    exported = set(key_map.values())
    return ConversionReport(
        source=f'{src}: {source.description}',
        written=str(dst),
        target=target,
        summary=spec.summary,
        prefix=match.prefix,
        key_map={new: old for new, old in key_map.items() if old},
        added_keys=[new for new, old in key_map.items() if not old],
        final_norm_keys=[key for key in match.state_dict if key not in exported],
        other_keys=source.other_keys,
        differences=differences,
    )


def _write(
    architecture: Architecture[Any], weights: StateDict, spec: ArchSpec, path: Path, target: str, meta: dict[str, Any]
) -> None:
    if target == 'onnx':
        write_onnx(architecture.onnx_model(weights, spec), spec.in_channels, path)
    elif target == 'huggingface':
        write_hub_folder(path, weights, meta, architecture.timm_config(spec))
    else:
        write_checkpoint(weights, path, meta)


def _check_request(src: Path, dst: Path, target: str) -> None:
    if target not in TARGETS:
        raise UserError(f'cannot convert to {target!r}; the targets are {", ".join(TARGETS)}')
    if target == 'huggingface':
        _check_folder(dst)
    else:
        suffixes = ('.onnx',) if target == 'onnx' else WRITABLE_SUFFIXES
        if dst.suffix not in suffixes:
            raise UserError(f'cannot write {dst}: the file name must end in {" or ".join(suffixes)}')
    if target == 'onnx':
        require_onnx()
    parent = next(folder for folder in dst.absolute().parents if folder.exists())
    if not parent.is_dir():
        raise UserError(f'cannot write {dst}: {parent} is a file, not a folder')
    if dst.exists() and src.exists() and dst.samefile(src):
        raise UserError(f'{dst} is the source itself; name another file to write')


def _check_folder(dst: Path) -> None:
    if dst.suffix in (*WRITABLE_SUFFIXES, '.onnx'):
        raise UserError(f'cannot write {dst}: --to huggingface writes a folder; give it a name without {dst.suffix}')
    if dst.exists() and not (dst.is_dir() and not any(dst.iterdir())):
        raise UserError(f'cannot write {dst}: it exists already; name a new or an empty folder')
