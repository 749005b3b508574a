"""Randomness of views: a function of seed, epoch, image index and view, and of nothing else."""
import zlib

import numpy as np


def stream_seed(results, *names):
    """64-bit seed of the random stream `names` of one image.

    Worker count, batch order and resuming change nothing, because nothing else enters.

    Args:
        results: dict with `seed`, `epoch` and `sample_idx` (integers, 0 or more).
        names: what is drawn and for which view, e.g. `('cutout', 'x3')`.
    """
    label = zlib.crc32(repr(names).encode())
    words = np.random.SeedSequence([results['seed'], results['epoch'], results['sample_idx'], label]).generate_state(2)
    return int(words[0]) << 32 | int(words[1])


def view_rng(results, name, view):
    """`numpy.random.Generator` of the stream `name` of view number `view` of one image."""
    return np.random.Generator(np.random.PCG64(stream_seed(results, name, view)))


def sample_rng(results, name):
    """`numpy.random.Generator` of the stream `name` of a plain sample, or of one of its views.

    It is a function of `seed`, `epoch`, `sample_idx` and, for a view, its `name` where these keys are there; in other
    pipelines it is seeded from numpy's global generator.
    """
    if all(key in results for key in ('seed', 'epoch', 'sample_idx')):
        return view_rng(results, name, results.get('name'))
    return np.random.default_rng(np.random.randint(2**32, size=4, dtype=np.uint32))
