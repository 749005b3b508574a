"""Comparison of the features of a converted file with those of its source.

Both sides are read again from their files, and the source is computed in its own form. Everything runs in float64, so
that the order of summation does not matter; ONNX files run in float32, as they are stored.
"""

from pathlib import Path

import torch

from mmssl_geo.checkpoints.formats.hub import load_hub_folder
from mmssl_geo.checkpoints.formats.onnx import onnx_outputs
from mmssl_geo.utils.errors import UserError

from .architecture import FeatureFn
from .encoder import Source
from .io import read_checkpoint

TOLERANCE = 1e-5
ONNX_TOLERANCE = 1e-4  # float32


def verify(source: Source, written: Path, target: str) -> dict[tuple[int, int], float]:
    """Compares the features of two random images: the last tokens of a ViT, the four maps of a ResNet.

    Args:
        source: The source, read again from its file.
        written: The converted file or folder.
        target: Package that it was written for.

    Returns:
        Largest relative difference max|a - b| / max|b| of the features, with b the source, by image size
        (height, width) in pixels.

    Raises:
        UserError: If the file does not load strictly, or the features differ by more than the tolerance.
    """
    match, spec = source.match, source.spec
    tolerance = ONNX_TOLERANCE if target == 'onnx' else TOLERANCE
    try:
        converted = _written_features(source, written, target)
    except RuntimeError as error:
        raise UserError(
            f'the converted weights do not load into the target backbone, so nothing is written: {error}'
        ) from error
    reference = match.architecture.source_features(match.state_dict, match.key_style, spec, target)
    differences: dict[tuple[int, int], float] = {}
    for size in match.architecture.verification_sizes(match.key_style, spec, target):
        images = torch.randn(2, spec.in_channels, *size, generator=torch.Generator().manual_seed(0)).double()
        with torch.no_grad():
            pairs = list(zip(converted(images), reference(images), strict=True))
        relative = torch.stack([(ours - theirs).abs().max() / theirs.abs().max() for ours, theirs in pairs])
        differences[size] = relative.max().item()  # NaN if one is
        if not differences[size] <= tolerance:
            raise UserError(
                f'the converted weights give other features than the source (relative difference '
                f'{differences[size]:.1e} at {size[0]} x {size[1]} pixels), so nothing is written'
            )
    return differences


def _written_features(source: Source, written: Path, target: str) -> FeatureFn:
    architecture = source.match.architecture
    if target == 'onnx':
        outputs = onnx_outputs(written)
        return lambda images: architecture.features_from_onnx(outputs(images))
    if target == 'huggingface':
        return architecture.timm_features(load_hub_folder(written))
    return architecture.target_features(read_checkpoint(written)['state_dict'], source.spec, target)
