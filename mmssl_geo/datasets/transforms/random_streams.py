"""Randomness of views: a function of seed, epoch, image index, view and the name of what is sampled."""

import zlib

import numpy as np


def stream_seed(results: dict, *names: object) -> int:
    """Returns the 64-bit seed of a random stream of an image.

    Nothing else enters, so number of workers, batch order, order of the steps and resuming change nothing.

    Args:
        results: Sample with `seed`, `epoch` and `sample_idx`, integers from 0 on.
        names: What is sampled and for which view, such as `('region_cutout', 'x3')`.
    """
    label = zlib.crc32(repr(names).encode())
    words = np.random.SeedSequence([results['seed'], results['epoch'], results['sample_idx'], label]).generate_state(2)
    return int(words[0]) << 32 | int(words[1])


def sample_rng(results: dict, name: str) -> np.random.Generator:
    """Returns the generator of the random stream `name` of a sample, or of one of its views.

    Its seed is a function of `seed`, `epoch`, `sample_idx` and, for a view, its `name`. In pipelines without these keys
    it comes from numpy's global generator.
    """
    if all(key in results for key in ('seed', 'epoch', 'sample_idx')):
        return np.random.Generator(np.random.PCG64(stream_seed(results, name, results.get('name'))))
    return np.random.default_rng(np.random.randint(2**32, size=4, dtype=np.uint32))
