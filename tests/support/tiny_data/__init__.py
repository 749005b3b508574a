"""Small datasets in the layouts of the real ones, drawn as they are needed."""

import numpy as np
from PIL import Image


def draw_photo(path, boxes, size, rng):
    """Writes a photo of noise with a bright rectangle for each box.

    Args:
        path: file to write; its folder is made.
        boxes: list of `x1, y1, x2, y2` in pixels, half-open.
        size: (height, width).
        rng: numpy generator.
    """
    pixels = rng.integers(0, 100, (*size, 3), dtype=np.uint8)
    for x1, y1, x2, y2 in boxes:
        pixels[y1:y2, x1:x2] += rng.integers(100, 156, 3, dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write_labels(path, labels):
    """Writes a label map `(H, W)` of uint8 as a grey PNG; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(path)


def two_boxes(size):
    """A box in the left and one in the right half of an image of `size` (height, width), whole pixels."""
    height, width = size
    return [
        (width // 12, height // 8, width // 2, 3 * height // 4),
        (width // 2, height // 6, 11 * width // 12, 7 * height // 8),
    ]
