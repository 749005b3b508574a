"""From a pretraining checkpoint to the file that a downstream package loads."""
import contextlib
import os
import shutil
from pathlib import Path

from mmssl_geo.checkpoints.formats.hub import write_hub_folder
from mmssl_geo.checkpoints.formats.onnx import require_onnx, write_onnx
from mmssl_geo.utils.errors import UserError
from mmssl_geo.version import __version__

from .io import WRITABLE, write_checkpoint
from .report import ConversionReport
from .source import open_source
from .verify import verify

TARGETS = ('mmpretrain', 'mmdet', 'mmseg', 'timm', 'huggingface', 'onnx')


def convert(src, dst, to, weights='teacher', num_heads=None, patch_size=None, allow_code=False):
    """Writes one encoder of a checkpoint for a downstream package, and proves that its features are the source's.

    Keys have no prefix. A ViT's for `mmpretrain`, `mmdet` and `mmseg` are those of `mmpretrain.VisionTransformer`
    (give the file to the backbone's `init_cfg`, without `prefix`), for `timm` those of its `VisionTransformer` with
    `num_classes=0`; the dense packages take the blocks' outputs, so the final LayerNorm is dropped for them. A
    ResNet's are those of every package's own `ResNet`, without the classifier. `huggingface` is timm's net as a folder
    (`hub_folder`). `onnx` is the net itself: images to `cls` and `map` (after the final LayerNorm) of a ViT, for its
    native size, to `c2` to `c5` of a ResNet, for any size.

    Args:
        src: a checkpoint of a known layout (`layouts.LAYOUTS`).
        dst: file to write, `.pth` or `.safetensors` (`.onnx` for ONNX); one that is there is replaced, after the proof.
            For `huggingface` a new or empty folder.
        to: one of `TARGETS`.
        weights: 'teacher' (the average, which downstream nets start from) or 'student'.
        num_heads: needed for a ViT where neither the file nor the rule of 64 channels a head tells.
        patch_size: of a ViT, in pixels; only checked against the weights.
        allow_code: read a file that needs code to be run.

    Returns:
        ConversionReport: what was kept, renamed and dropped, and the differences measured.

    Raises:
        UserError: unreadable or unknown source, wrong option, weights that do not fit or are not finite, or features
            that differ. `dst` is then as it was.
    """
    src, dst = Path(src), Path(dst)
    _check_request(src, dst, to)
    options = weights, num_heads, patch_size, allow_code
    source = open_source(src, *options)
    found, facts = source.found, source.facts
    try:
        written, names = found.architecture.export(found.own, found.naming, facts, to)
    except UserError as error:
        raise UserError(f'checkpoint {src}: {error}') from error
    part = dst.with_name(f'.{os.getpid()}.{dst.name}')
    try:
        meta = dict(facts.meta, source=f'{src.name} ({source.description})', target=to, mmssl_geo_version=__version__)
        _write(found.architecture, written, facts, part, to, meta)
        differences = verify(open_source(src, *options), part, to)
        os.replace(part, dst)
    except OSError as error:
        raise UserError(f'cannot write {dst}: {error.strerror}') from error
    finally:
        with contextlib.suppress(OSError):  # where nothing can be written, nothing can be removed
            shutil.rmtree(part) if part.is_dir() else part.unlink(missing_ok=True)
    taken = set(names.values())
    return ConversionReport(
        source=f'{src}: {source.description}', written=f'{dst}: for {to}', summary=facts.summary, prefix=found.prefix,
        names={new: old for new, old in names.items() if old}, made=[new for new, old in names.items() if not old],
        final_norm=[key for key in found.own if key not in taken], others=source.others, differences=differences)


def _write(architecture, weights, facts, path, to, meta):
    if to == 'onnx':
        write_onnx(architecture.onnx_form(weights, facts), facts.in_channels, path)
    elif to == 'huggingface':
        write_hub_folder(path, weights, meta, architecture.timm_config(facts))
    else:
        write_checkpoint(weights, path, meta)


def _check_request(src, dst, to):
    if to not in TARGETS:
        raise UserError(f'cannot convert to {to!r}; there are {", ".join(TARGETS)}')
    if to == 'huggingface':
        _check_folder(dst)
    else:
        endings = ('.onnx', ) if to == 'onnx' else WRITABLE
        if dst.suffix not in endings:
            raise UserError(f'cannot write {dst}: its name has to end in {" or ".join(endings)}')
    if to == 'onnx':
        require_onnx()
    folder = next(folder for folder in dst.absolute().parents if folder.exists())
    if not folder.is_dir():
        raise UserError(f'cannot write {dst}: {folder} is a file, not a folder')
    if dst.exists() and src.exists() and dst.samefile(src):
        raise UserError(f'{dst} is the source itself; name another file to write')


def _check_folder(dst):
    if dst.suffix in (*WRITABLE, '.onnx'):
        raise UserError(f'cannot write {dst}: --to huggingface writes a folder; give it a name without {dst.suffix}')
    if dst.exists() and not (dst.is_dir() and not any(dst.iterdir())):
        raise UserError(f'cannot write {dst}: it is there already; name a new or an empty folder')
