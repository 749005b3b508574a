"""Runs Selective Search on the images named on standard input, as a process in a separate environment.

Run by path as `PYTHON -I selective_search.py IMAGE_READING FILTERS OPTIONS`, where the first two are the paths of
`datasets/image_reading.py` and `proposals/filters.py`, so that the code used in training also decodes the images here,
and OPTIONS is a json object. `PYTHON` needs numpy, Pillow and opencv-contrib (`cv2.ximgproc`), and nothing else. It
reads and writes one json line per image:

    {"name": ..., "path": ...}  ->  {"size": [height, width], "boxes": [[x1, y1, x2, y2], ...], "relaxed": false}
                                or  {"unreadable": reason}
"""

import importlib.util
import json
import sys
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def load_module(path: str, name: str) -> ModuleType:
    """Loads a module from a file outside of any package."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up their module
    spec.loader.exec_module(module)
    return module


def search(image: NDArray, mode: str, side: int) -> NDArray:
    """Finds the regions of one image.

    Args:
        image: RGB image, shape (H, W, 3), uint8.
        mode: 'fast' or 'quality' (the strategies of cv2.ximgproc, of Uijlings et al.).
        side: Longer side in pixels to shrink the image to by area averaging; 0 keeps the size.

    Returns:
        Half-open float64 boxes in pixels of `image`, shape (N, 4). Their order is random, because cv2 uses C's `rand`.
    """
    height, width = image.shape[:2]
    factor = min(1.0, side / max(height, width)) if side else 1.0
    small = image[..., ::-1]
    if factor < 1:
        small_size = max(1, round(width * factor)), max(1, round(height * factor))
        small = cv2.resize(small, small_size, interpolation=cv2.INTER_AREA)
    segmentation: Any = cv2.ximgproc.segmentation  # type: ignore[attr-defined]
    searcher = segmentation.createSelectiveSearchSegmentation()
    searcher.setBaseImage(np.ascontiguousarray(small))
    if mode == 'fast':
        searcher.switchToSelectiveSearchFast()
    else:
        searcher.switchToSelectiveSearchQuality()
    corners = np.asarray(searcher.process(), np.float64).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    return corners * np.tile([width / small.shape[1], height / small.shape[0]], 2)


def answer(
    request: dict[str, str], reading: ModuleType, filters: ModuleType, options: dict[str, Any], limits: object
) -> dict[str, Any]:
    """Computes the reply to one request; the module docstring describes both."""
    try:
        image = reading.read_rgb(request['path'])
    except reading.UnreadableImage as error:
        return dict(unreadable=error.reason)
    size = image.shape[:2]
    boxes, _ = filters.whole_pixels(search(image, options['mode'], options['side']), size)
    boxes, relaxed = filters.keep_regions(boxes, size, limits, request['name'])
    return dict(size=size, boxes=boxes.tolist(), relaxed=relaxed)


def main() -> None:
    cv2.setNumThreads(1)  # the number of processes is the number of threads the user requested
    reading = load_module(sys.argv[1], 'image_reading')
    filters = load_module(sys.argv[2], 'filters')
    options = json.loads(sys.argv[3])
    limits = filters.RegionFilter(**options['filter'])
    for line in sys.stdin:
        reply = answer(json.loads(line), reading, filters, options, limits)
        print(json.dumps(reply), flush=True)


if __name__ == '__main__':
    main()
