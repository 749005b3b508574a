"""What a conversion did, for people to read."""
import re
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class ConversionReport:
    """What was kept, renamed and dropped, and how equal the features are.

    Attributes:
        source: the file read, its layout, and whose weights were taken.
        written: the file written, and for which package.
        summary: the net's shape, in one line.
        prefix: what stood before the taken weights' names.
        names: name written -> name in the source, without the prefix.
        made: names written that the source has not (counts of batches, zero).
        final_norm: names (without the prefix) of the final LayerNorm if it was dropped, else empty.
        others: names of the source's remaining tensors.
        differences: image size (height, width) in pixels -> max|a - b| / max|b| of the features.
    """
    source: str
    written: str
    summary: str
    prefix: str
    names: dict
    made: list
    final_norm: list
    others: list
    differences: dict

    def __str__(self):
        kept = [new for new, old in self.names.items() if new == old]
        renamed = {new: old for new, old in self.names.items() if new != old}
        lines = [
            f'read     {self.source}',
            f'written  {self.written}',
            f'net      {self.summary}',
            f'prefix   {self.prefix} taken off' if self.prefix else 'prefix   none',
            *_section('kept', Counter(map(_group, kept))),
            *_section('renamed', Counter(f'{_group(old)} -> {_group(new)}' for new, old in renamed.items())),
            *_section('made', Counter(f'{_group(name)}: zero, the source has none' for name in self.made)),
            *_section('dropped', Counter(
                f"{_group(name)}: the final LayerNorm; {self.written.split()[-1]} takes the blocks' outputs"
                for name in self.final_norm)),
            *_section('dropped', Counter(_part(name, self.prefix) for name in self.others)),
        ]
        lines += [f'features at {height} x {width}: largest relative difference {value:.1e}'
                  for (height, width), value in self.differences.items()]
        if len(self.differences) == 1:
            reason = ('an ONNX file of a ViT takes no other' if self.written.endswith('onnx') else
                      'the two nets resize the position embedding in different ways')
            lines.append(f'         (native size only: {reason})')
        return '\n'.join(lines)


def _section(title, counts):
    return [f'{title:8} {count:4} x {name}' for name, count in counts.items()]


def _group(name):
    """Name without block number and without weight or bias; of a ResNet's stage, the stage."""
    name = re.sub(r'^(layers|blocks)\.\d+\.', r'\1.*.', re.sub(r'^(layer[1-4])\..*', r'\1.*', name))
    return re.sub(r'\.(weight|bias|running_mean|running_var|num_batches_tracked)$', '', name)


def _part(name, prefix):
    """The part of a model that a tensor belongs to: a mask token or a classifier of the encoder taken by its own name,
    else the first name, or two under the teacher or in another dict."""
    if prefix and name.startswith(prefix):
        return _group(name)
    return re.sub(r'^((?:teacher\.|[^/]+/)?[^./]+)\..*', r'\1.*', name)
