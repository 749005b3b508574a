"""The report of a conversion, as text."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ConversionReport:
    """Which keys were kept, renamed and dropped, and how much the features differ.

    Attributes:
        source: The source file, its layout, and whose weights were used.
        written: The written file.
        target: The package that it was written for.
        summary: Shape of the network in one line.
        prefix: Prefix of the encoder's keys in the source.
        key_map: Key in the source, without prefix, for each written key.
        added_keys: Written keys that the source lacks (`num_batches_tracked`, zero).
        final_norm_keys: Keys of the final LayerNorm, without prefix, if it was dropped.
        other_keys: Keys of the source's other tensors.
        differences: Largest relative difference max|a - b| / max|b| of the features, by image size (height, width) in
            pixels.
    """

    source: str
    written: str
    target: str
    summary: str
    prefix: str
    key_map: dict[str, str]
    added_keys: list[str]
    final_norm_keys: list[str]
    other_keys: list[str]
    differences: dict[tuple[int, int], float]

    def __str__(self) -> str:
        kept = [new for new, old in self.key_map.items() if new == old]
        renamed = {new: old for new, old in self.key_map.items() if new != old}
        lines = [
            f'read     {self.source}',
            f'written  {self.written}: for {self.target}',
            f'network  {self.summary}',
            f'prefix   {self.prefix} removed' if self.prefix else 'prefix   none',
            *_section('kept', Counter(map(_group, kept))),
            *_section('renamed', Counter(f'{_group(old)} -> {_group(new)}' for new, old in renamed.items())),
            *_section('added', Counter(f'{_group(key)}: zero, missing in the source' for key in self.added_keys)),
            *_section(
                'dropped',
                Counter(
                    f"{_group(key)}: the final LayerNorm; {self.target} uses the blocks' outputs"
                    for key in self.final_norm_keys
                ),
            ),
            *_section('dropped', Counter(_part(key, self.prefix) for key in self.other_keys)),
        ]
        lines += [
            f'features at {height} x {width}: largest relative difference {value:.1e}'
            for (height, width), value in self.differences.items()
        ]
        if len(self.differences) == 1:
            if self.target == 'onnx':
                reason = 'the ONNX file of a ViT takes no other size'
            else:
                reason = 'the two networks resize the position embedding in different ways'
            lines.append(f'         (native size only: {reason})')
        return '\n'.join(lines)


def _section(title: str, counts: Mapping[str, int]) -> list[str]:
    return [f'{title:8} {count:4} x {name}' for name, count in counts.items()]


def _group(key: str) -> str:
    """Returns a key without block index and parameter name, or the stage of a ResNet."""
    key = re.sub(r'^(layers|blocks)\.\d+\.', r'\1.*.', re.sub(r'^(layer[1-4])\..*', r'\1.*', key))
    return re.sub(r'\.(weight|bias|running_mean|running_var|num_batches_tracked)$', '', key)


def _part(key: str, prefix: str) -> str:
    """Returns the part of the model that a dropped tensor belongs to.

    For a mask token or classifier of the converted encoder, that is its own key; for other tensors the first component
    of the key, or the first two under the teacher or in another dict.
    """
    if prefix and key.startswith(prefix):
        return _group(key)
    return re.sub(r'^((?:teacher\.|[^/]+/)?[^./]+)\..*', r'\1.*', key)
