"""The images that the geometric measures are taken on."""
import itertools
from pathlib import Path

import numpy as np

from mmssl_geo.datasets.image_list import EXTENSIONS
from mmssl_geo.datasets.image_reading import UnreadableImage, read_rgb
from mmssl_geo.datasets.path_table import PathTable, scan_folder
from mmssl_geo.utils.errors import UserError

MIN_IMAGES = 8


def list_images(source):
    """Paths of a folder's images, with all folders below, or of a list's.

    Args:
        source: folder, or a .txt file of one path a line, absolute or relative to the file's folder.

    Returns:
        list of `Path`.

    Raises:
        UserError: the source is missing or of another kind, or names fewer than 8 images.
    """
    source = Path(source).expanduser()
    if source.is_dir():
        names, folder = scan_folder(source, EXTENSIONS), source
    elif source.is_file() and source.suffix.lower() == '.txt':
        names, folder = PathTable.from_lines(source.read_bytes()), source.parent
    else:
        raise UserError(f'--images {source}: there is no such folder, nor such a .txt list of paths')
    if len(names) < MIN_IMAGES:
        raise UserError(f'--images {source}: {len(names)} images found (ending in {", ".join(EXTENSIONS)}), at least '
                        f'{MIN_IMAGES} are needed')
    return [folder / names[index] for index in range(len(names))]


def read_in_random_order(paths, seed, unreadable):
    """Yields index and `(H, W, 3)` uint8 array of one image after the other; appends errors to `unreadable`."""
    for index in np.random.default_rng(seed).permutation(len(paths)):
        try:
            yield index, read_rgb(paths[index])
        except UnreadableImage as error:
            unreadable.append(error)


def read_some(paths, num_images, seed=0):
    """Reads images chosen at random; those that cannot be read are replaced by others.

    Args:
        paths: of the images.
        num_images: how many to read at most.
        seed: of the choice.

    Returns:
        tuple: list of `(H, W, 3)` uint8 arrays, and list of `UnreadableImage`, the images passed over.

    Raises:
        UserError: fewer than 8 can be read.
    """
    unreadable = []
    chosen = itertools.islice(read_in_random_order(paths, seed, unreadable), num_images)
    images = [image for _, image in chosen]
    if len(images) < MIN_IMAGES:
        raise UserError(f'only {len(images)} of {len(paths)} images can be read, at least {MIN_IMAGES} are needed; '
                        f'the first that cannot is {unreadable[0]}')
    return images, unreadable
