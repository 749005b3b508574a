"""What a conversion did, for people to read."""
import re
from collections import Counter
from dataclasses import dataclass

from .vit_facts import ViTFacts


@dataclass(frozen=True)
class ConversionReport:
    """What was kept, renamed and dropped, and how equal the features are.

    Attributes:
        source: the file read, its layout, and whose weights were taken.
        written: the file written, and for which package.
        facts: the net's shape.
        prefix: what stood before the taken weights' names.
        names: name written -> name in the source, without the prefix.
        final_norm: names (without the prefix) of the final LayerNorm if it was dropped, else empty.
        others: names of the source's remaining tensors.
        differences: image size (height, width) in pixels -> max|a - b| / max|b| of all tokens.
    """
    source: str
    written: str
    facts: ViTFacts
    prefix: str
    names: dict
    final_norm: list
    others: list
    differences: dict

    def __str__(self):
        facts = self.facts
        kept = [new for new, old in self.names.items() if new == old]
        renamed = {new: old for new, old in self.names.items() if new != old}
        lines = [
            f'read     {self.source}',
            f'written  {self.written}',
            f'net      width {facts.embed_dims}, depth {facts.num_layers}, {facts.num_heads} heads '
            f'({facts.heads_from}), hidden {facts.hidden_dims}, patch {facts.patch_size}, '
            f'grid {facts.grid} x {facts.grid} ({facts.img_size} pixels)',
            f'prefix   {self.prefix} taken off' if self.prefix else 'prefix   none',
            *_section('kept', Counter(map(_group, kept))),
            *_section('renamed', Counter(f'{_group(old)} -> {_group(new)}' for new, old in renamed.items())),
            *_section('dropped', Counter(
                f"{_group(name)}: the final LayerNorm; {self.written.split()[-1]} takes the blocks' outputs"
                for name in self.final_norm)),
            *_section('dropped', Counter(map(_part, self.others))),
        ]
        lines += [f'features at {height} x {width}: largest relative difference {value:.1e}'
                  for (height, width), value in self.differences.items()]
        if len(self.differences) == 1:
            lines.append('         (native size only: the two nets resize the position embedding in different ways)')
        return '\n'.join(lines)


def _section(title, counts):
    return [f'{title:8} {count:4} x {name}' for name, count in counts.items()]


def _group(name):
    """Name without block number and without weight or bias."""
    return re.sub(r'\.(weight|bias)$', '', re.sub(r'^(layers|blocks)\.\d+\.', r'\1.*.', name))


def _part(name):
    """The part of a model that a tensor belongs to: its first name, or two under the teacher."""
    return '.'.join(name.split('.')[:2 if name.startswith('teacher.') else 1]) + '.*'
