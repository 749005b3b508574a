"""One encoder of a checkpoint of any known layout, checked."""
from dataclasses import dataclass
from pathlib import Path

from mmssl_geo.utils.errors import UserError

from .io import read_checkpoint
from .layouts import Found, find, flatten


@dataclass(frozen=True)
class Source:
    """An encoder in a file.

    Attributes:
        path: the file.
        found: the encoder: layout, role, names and weights.
        facts: `ViTFacts` or `ResNetFacts`.
        others: names of the file's other tensors.
    """
    path: Path
    found: Found
    facts: object
    others: list

    @property
    def description(self):
        """Layout and role."""
        return f'{self.found.layout.name}, {self.found.role}'


def open_source(path, weights, num_heads=None, patch_size=None, allow_code=False):
    """Reads one encoder of a checkpoint.

    Args:
        path: a checkpoint of a known layout (`layouts.LAYOUTS`).
        weights: 'teacher' or 'student'; a file with one encoder gives that one.
        num_heads: needed for a ViT where neither the file nor the rule of 64 channels a head tells.
        patch_size: of a ViT, in pixels; only checked.
        allow_code: read a file that needs code to be run.

    Returns:
        Source

    Raises:
        UserError: unreadable or unknown file, wrong option, or weights that do not fit or are not finite.
    """
    if weights not in ('teacher', 'student'):
        raise UserError(f'weights are those of the teacher or the student, not {weights!r}')
    contents = read_checkpoint(path, allow_code=allow_code)
    try:
        flat = flatten(contents)
        found = find(flat, weights)
        called = {key: found.prefix + key for key in found.own}
        facts = found.architecture.read_facts(
            found.own, found.naming, called, contents.get('meta'), num_heads, patch_size)
    except UserError as error:
        raise UserError(f'checkpoint {path}: {error}') from error
    taken = set(called.values())
    return Source(Path(path), found, facts, [key for key in flat if key not in taken])
