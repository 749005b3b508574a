"""Reading a random sample of unlabelled images."""

import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mmssl_geo.datasets.image_names import EXTENSIONS, PathTable, scan_folder
from mmssl_geo.datasets.image_reading import UnreadableImage, read_rgb
from mmssl_geo.utils.errors import UserError

MIN_IMAGES = 8


def list_images(source: str | os.PathLike) -> list[Path]:
    """Lists the images of a folder, recursively, or of a list file.

    Args:
        source: A folder, or a `.txt` file with one path per line, absolute or relative to the folder of the file.

    Raises:
        UserError: If the source is missing or neither of the two, or has fewer than 8 images.
    """
    source = Path(source).expanduser()
    if source.is_dir():
        names, folder = scan_folder(str(source), EXTENSIONS), source
    elif source.is_file() and source.suffix.lower() == '.txt':
        names, folder = PathTable.from_lines(source.read_bytes()), source.parent
    else:
        raise UserError(f'--images {source}: no such folder or .txt list of paths')
    if len(names) < MIN_IMAGES:
        raise UserError(
            f'--images {source}: {len(names)} images found (extensions {", ".join(EXTENSIONS)}), at least '
            f'{MIN_IMAGES} are needed'
        )
    return [folder / names[index] for index in range(len(names))]


def relative_names(paths: Sequence[str | os.PathLike], source: str | os.PathLike) -> list[str]:
    """Returns the names of images relative to the folder `source`, or to the folder of the list `source`."""
    source = Path(source).expanduser()
    folder = source if source.is_dir() else source.parent
    return [os.path.relpath(path, folder) for path in paths]


def read_in_random_order(
    paths: Sequence[Path], seed: int, unreadable: list[UnreadableImage]
) -> Iterator[tuple[int, np.ndarray]]:
    """Yields the index and the pixels, shape (H, W, 3), uint8, of images in random order.

    Args:
        paths: The images.
        seed: Seed of the order.
        unreadable: Receives the errors of the images that are skipped.
    """
    for index in np.random.default_rng(seed).permutation(len(paths)):
        try:
            yield index, read_rgb(str(paths[index]))
        except UnreadableImage as error:
            unreadable.append(error)


def read_some(paths: Sequence[Path], num_images: int, seed: int = 0) -> tuple[list[np.ndarray], list[UnreadableImage]]:
    """Reads a random sample of images; unreadable ones are replaced by others.

    Args:
        paths: The images to sample from.
        num_images: Largest number of images to read.
        seed: Seed of the sample.

    Returns:
        The images, each of shape (H, W, 3), uint8, and the errors of the unreadable ones.

    Raises:
        UserError: If fewer than 8 images can be read.
    """
    unreadable: list[UnreadableImage] = []
    sample = itertools.islice(read_in_random_order(paths, seed, unreadable), num_images)
    images = [image for _, image in sample]
    if len(images) < MIN_IMAGES:
        raise UserError(
            f'only {len(images)} of {len(paths)} images can be read, at least {MIN_IMAGES} are needed; '
            f'the first unreadable one is {unreadable[0]}'
        )
    return images, unreadable
