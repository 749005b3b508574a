"""The baseline that a segmentation model has to beat: the best constant prediction."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmssl_geo.utils.errors import UserError


def best_constant_miou(folder: str | os.PathLike, num_classes: int) -> tuple[float, int]:
    """Computes the mIoU of the best constant prediction on a folder of semantic maps.

    If class c is predicted everywhere, its IoU is its share of the pixels, and the IoU of every other class that
    occurs is 0. As in mmseg's `IoUMetric`, classes that are neither present nor predicted do not count, and pixels with
    the value 255 are ignored.

    Args:
        folder: Folder of PNG maps of class ids, for example `OUT/semantic/val`.
        num_classes: Number of classes, including the background.

    Returns:
        The mIoU in per cent, and the predicted class.

    Raises:
        UserError: If the folder has no maps, no labelled pixel, or an id beyond `num_classes`.
    """
    counts: NDArray = np.zeros(256, np.int64)
    for path in sorted(Path(folder).glob('*.png')):
        counts += np.bincount(np.asarray(Image.open(path)).ravel(), minlength=256)
    if not counts[:255].any():
        raise UserError(f'no semantic maps (*.png) with labelled pixels in {folder}; pass the folder of a split')
    if counts[num_classes:255].any():
        raise UserError(
            f'{folder} has class ids beyond the {num_classes} classes given (including the background); '
            'pass the number of classes of these scenes'
        )
    counts = counts[:num_classes]
    best = int(np.argmax(counts))
    return float(100 * counts[best] / counts.sum() / np.count_nonzero(counts)), best
