"""Proof that a converted file gives the features of its source.

Both sides are read anew from their files; the source's runs in the source's own form. All in float64, so that the
order of sums plays no part.
"""
import torch

from ..errors import UserError
from .checkpoint_io import read_checkpoint

TOLERANCE = 1e-5


def verify(source, written, to):
    """Compares features of a random image: a ViT's tokens after the last block, a ResNet's four maps.

    Args:
        source: `Source`, read anew.
        written: path of the converted file.
        to: package that it was written for.

    Returns:
        dict: image size (height, width) in pixels -> largest max|a - b| / max|b| of the features, b the source's.

    Raises:
        UserError: the file does not load strictly, or the features differ by more than `TOLERANCE`.
    """
    found, facts = source.found, source.facts
    weights = read_checkpoint(written)['state_dict']
    try:
        converted = found.architecture.converted(weights, facts, to)
    except RuntimeError as error:
        raise UserError(
            f'the converted weights do not load into the target backbone, nothing is kept: {error}') from error
    reference = found.architecture.reference(found.own, found.naming, facts, to)
    differences = {}
    for size in found.architecture.sizes(found.naming, facts, to):
        images = torch.randn(1, facts.in_channels, *size, generator=torch.Generator().manual_seed(0)).double()
        with torch.no_grad():
            pairs = list(zip(converted(images), reference(images), strict=True))
        relative = torch.stack([(ours - theirs).abs().max() / theirs.abs().max() for ours, theirs in pairs])
        differences[size] = relative.max().item()  # NaN if one is
        if not differences[size] <= TOLERANCE:
            raise UserError(
                f'the converted weights give other features than the source (relative difference '
                f'{differences[size]:.1e} at {size[0]} x {size[1]} pixels); nothing is kept')
    return differences
