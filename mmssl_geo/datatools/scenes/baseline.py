"""What a segmentation net has to beat: the best prediction that is the same everywhere."""
from pathlib import Path

import numpy as np
from PIL import Image

from mmssl_geo.utils.errors import UserError


def best_constant_miou(folder, num_classes):
    """mIoU of the best constant prediction on a folder of semantic maps.

    Predicting class c everywhere gives c the IoU (its pixels / all pixels) and every other class that occurs the IoU 0;
    as in mmseg's `IoUMetric`, classes that neither occur nor are predicted do not count, and pixels of 255 are ignored.

    Args:
        folder: folder of PNG maps of class ids, for example `OUT/semantic/val`.
        num_classes: number of classes, background counted.

    Returns:
        Tuple of the mIoU in per cent and the class that is predicted.

    Raises:
        UserError: no maps there, none with a pixel that counts, or an id beyond `num_classes`.
    """
    counts = np.zeros(256, np.int64)
    for path in sorted(Path(folder).glob('*.png')):
        counts += np.bincount(np.asarray(Image.open(path)).ravel(), minlength=256)
    if not counts[:255].any():
        raise UserError(f'no semantic maps (*.png) with labelled pixels in {folder}; give the folder of a split')
    if counts[num_classes:255].any():
        raise UserError(f'{folder} has class ids beyond the {num_classes} classes given (background counted); '
                        'give the number of classes of its scenes')
    counts = counts[:num_classes]
    best = int(np.argmax(counts))
    return float(100 * counts[best] / counts.sum() / np.count_nonzero(counts)), best
