"""Which row of a proposals file belongs to which image of a data set."""
import os

import numpy as np

from mmssl_geo.utils.errors import UserError

EXAMPLES = 3


def match_rows(file, names, max_missing):
    """Row in the proposals file of every image.

    Args:
        file: `RegionsFile`.
        names: the images' names (strings), relative to the image folder; compared as they stand.
        max_missing: share of images without an entry above which the file does not fit.

    Returns:
        `(len(names),)` int64, -1 for an image without an entry; and a sentence of what does not fit, '' if all does.

    Raises:
        UserError: too many images have no entry, or no image has a region.
    """
    rows_of = {os.fsencode(name): row for row, name in enumerate(file.names())}
    rows = np.fromiter((rows_of.get(os.fsencode(name), -1) for name in names), np.int64, len(names))
    missing = np.flatnonzero(rows < 0)
    used = np.zeros(len(file), bool)
    used[rows[rows >= 0]] = True
    extra = np.flatnonzero(~used)
    sentence = _mismatch(file, names, missing, extra)
    if len(missing) > max_missing * len(names):
        raise UserError(
            f'{sentence}; that is more than max_missing={max_missing:g} allows: make the file for this image folder '
            '(tools/make_proposals.py), correct data_root or data_prefix, or raise max_missing')
    without = int((file.counts()[rows[rows >= 0]] == 0).sum())
    if without + len(missing) == len(names):
        raise UserError(f'the proposals file {file.path} has no region for any of the {len(names)} images: make it '
                        'with wider limits, or use GridRegions')
    if without:
        empty = f'{without} of {len(names)} images have an entry without a region and get random grid regions'
        sentence = f'{sentence}; {empty}' if sentence else f'the proposals file {file.path}: {empty}'
    return rows, sentence


def _mismatch(file, names, missing, extra):
    parts = []
    if len(missing):
        parts.append(f'{len(missing)} of {len(names)} images have no entry in it '
                     f'({_examples(names, missing)}) and get random grid regions')
    if len(extra):
        parts.append(f'{len(extra)} of its {len(file)} entries belong to no image '
                     f'({_examples(file.names(), extra)}) and are not used')
    if len(parts) == 2:
        parts.append('an image renamed or moved since the file was made counts on both sides')
    return f'the proposals file {file.path} does not match the images: {"; ".join(parts)}' if parts else ''


def _examples(names, indices):
    named = ', '.join(names[int(index)] for index in indices[:EXAMPLES])
    return f'such as {named}' if len(indices) > EXAMPLES else named
