"""From a pretraining checkpoint to the file that a downstream package loads."""
import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..version import __version__
from .checkpoint_io import WRITABLE, read_checkpoint, write_checkpoint
from .layouts import detect, drop_final_norm, flatten, pick, to_naming
from .report import ConversionReport
from .verify import verify
from .vit_facts import read_facts


@dataclass(frozen=True)
class Target:
    """What a downstream package loads: its names, and with the final LayerNorm or without."""
    naming: str
    final_norm: bool


TARGETS = {
    'mmpretrain': Target('mmpretrain', True),
    'mmdet': Target('mmpretrain', False),
    'mmseg': Target('mmpretrain', False),
    'timm': Target('timm', True),
}


def convert(src, dst, to, weights='teacher', num_heads=None, patch_size=None, allow_code=False):
    """Writes one encoder of a checkpoint for a downstream package, and proves that its features are the source's.

    Keys have no prefix: for `mmpretrain`, `mmdet` and `mmseg` they are those of `mmpretrain.VisionTransformer`
    (give the file to the backbone's `init_cfg`, without `prefix`), for `timm` those of its `VisionTransformer` with
    `num_classes=0`. The dense packages take the blocks' outputs, so the final LayerNorm is dropped for them.

    Args:
        src: a checkpoint of a known layout (`layouts.LAYOUTS`).
        dst: file to write, `.pth` or `.safetensors`; one that is there is replaced, after the proof.
        to: 'mmpretrain', 'mmdet', 'mmseg' or 'timm'.
        weights: 'teacher' (the average, which downstream nets start from) or 'student'.
        num_heads: needed where neither the file nor the rule of 64 channels a head tells.
        patch_size: in pixels; only checked against the weights.
        allow_code: read a file that needs code to be run.

    Returns:
        ConversionReport: what was kept, renamed and dropped, and the differences measured.

    Raises:
        UserError: unreadable or unknown source, wrong option, weights that do not fit or are not finite, or features
            that differ. `dst` is then as it was.
    """
    src, dst = Path(src), Path(dst)
    _check_request(src, dst, to, weights)
    contents, layout, own, others, role = _read(src, weights, allow_code)
    prefix = layout.prefixes[role]
    try:
        state, names = to_naming(own, layout.naming, 'mmpretrain', layout.name)
        meta = contents.get('meta')
        facts = read_facts(state, {new: prefix + old for new, old in names.items()},
                           meta if isinstance(meta, dict) else {}, num_heads, patch_size)
    except UserError as error:
        raise UserError(f'checkpoint {src}: {error}') from error
    target = TARGETS[to]
    state, names = to_naming(own, layout.naming, target.naming, layout.name)
    kept = state if target.final_norm else drop_final_norm(state, target.naming)
    part = dst.with_name(f'.{os.getpid()}.{dst.name}')
    try:
        write_checkpoint(kept, part, _meta(facts, src, layout, role, to))
        fresh = _read(src, weights, allow_code)[2]
        differences = verify(fresh, part, facts, layout.naming, target)
        os.replace(part, dst)
    except OSError as error:
        raise UserError(f'cannot write {dst}: {error.strerror}') from error
    finally:
        part.unlink(missing_ok=True)
    return ConversionReport(
        source=f'{src}: {layout.name}, {role}', written=f'{dst}: for {to}', facts=facts, prefix=prefix,
        names={new: names[new] for new in kept}, final_norm=[names[new] for new in state if new not in kept],
        others=others, differences=differences)


def _read(src, weights, allow_code):
    contents = read_checkpoint(src, allow_code=allow_code)
    try:
        flat = flatten(contents)
        layout = detect(flat)
        return contents, layout, *pick(flat, layout, weights)
    except UserError as error:
        raise UserError(f'checkpoint {src}: {error}') from error


def _check_request(src, dst, to, weights):
    if to not in TARGETS:
        raise UserError(f'cannot convert to {to!r}; there are {", ".join(TARGETS)}')
    if weights not in ('teacher', 'student'):
        raise UserError(f'weights are those of the teacher or the student, not {weights!r}')
    if dst.suffix not in WRITABLE:
        raise UserError(f'cannot write {dst}: its name has to end in {" or ".join(WRITABLE)}')
    if dst.exists() and src.exists() and dst.samefile(src):
        raise UserError(f'{dst} is the source itself; name another file to write')


def _meta(facts, src, layout, role, to):
    return dict(
        num_heads=facts.num_heads, patch_size=facts.patch_size, embed_dims=facts.embed_dims,
        num_layers=facts.num_layers, img_size=facts.img_size, source=f'{src.name} ({layout.name}, {role})',
        target=to, mmssl_geo_version=__version__)
