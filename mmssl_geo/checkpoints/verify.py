"""Proof that a converted file gives the features of its source.

Both sides are read anew from their files; the source's runs in the source's own form. All in float64, so that the
order of sums plays no part; ONNX files in float32, as they are made.
"""
import torch

from mmssl_geo.checkpoints.formats.hub import load_hub_folder
from mmssl_geo.checkpoints.formats.onnx import onnx_outputs
from mmssl_geo.utils.errors import UserError

from .io import read_checkpoint

TOLERANCE = 1e-5
ONNX_TOLERANCE = 1e-4  # float32


def verify(source, written, to):
    """Compares features of two random images: a ViT's tokens after the last block, a ResNet's four maps.

    Args:
        source: `Source`, read anew.
        written: path of the converted file or folder.
        to: package that it was written for.

    Returns:
        dict: image size (height, width) in pixels -> largest max|a - b| / max|b| of the features, b the source's.

    Raises:
        UserError: the file does not load strictly, or the features differ by more than the tolerance.
    """
    found, facts = source.found, source.facts
    tolerance = ONNX_TOLERANCE if to == 'onnx' else TOLERANCE
    try:
        converted = _written_features(found, facts, written, to)
    except RuntimeError as error:
        raise UserError(
            f'the converted weights do not load into the target backbone, nothing is kept: {error}') from error
    reference = found.architecture.reference(found.own, found.naming, facts, to)
    differences = {}
    for size in found.architecture.sizes(found.naming, facts, to):
        images = torch.randn(2, facts.in_channels, *size, generator=torch.Generator().manual_seed(0)).double()
        with torch.no_grad():
            pairs = list(zip(converted(images), reference(images), strict=True))
        relative = torch.stack([(ours - theirs).abs().max() / theirs.abs().max() for ours, theirs in pairs])
        differences[size] = relative.max().item()  # NaN if one is
        if not differences[size] <= tolerance:
            raise UserError(
                f'the converted weights give other features than the source (relative difference '
                f'{differences[size]:.1e} at {size[0]} x {size[1]} pixels); nothing is kept')
    return differences


def _written_features(found, facts, written, to):
    architecture = found.architecture
    if to == 'onnx':
        outputs = onnx_outputs(written)
        return lambda images: architecture.from_onnx(outputs(images))
    if to == 'huggingface':
        return architecture.timm_features(load_hub_folder(written))
    return architecture.converted(read_checkpoint(written)['state_dict'], facts, to)
