"""Selective Search for the images named on standard input: a process of its own, in an environment of its own.

Run by path as `PYTHON -I selective_search.py IMAGE_READING FILTERS OPTIONS`, where the first two are the paths of
`datasets/image_reading.py` and `proposals/filters.py` (so that images are decoded and turned upright by the very code
that training uses) and OPTIONS is a json object. `PYTHON` needs numpy, Pillow and opencv-contrib (`cv2.ximgproc`),
and nothing else. One json line in, one out:

    {"name": ..., "path": ...}  ->  {"size": [height, width], "boxes": [[x1, y1, x2, y2], ...], "relaxed": false}
                                or  {"unreadable": reason}
"""
import importlib.util
import json
import sys

import cv2
import numpy as np


def load_module(path, name):
    """Module from a file, outside of any package."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def search(image, mode, side):
    """Regions of one image.

    Args:
        image: (H, W, 3) uint8 RGB.
        mode: 'fast' or 'quality' (the strategies of cv2.ximgproc, of Uijlings et al.).
        side: the image is shrunk until its longer side has this many pixels (area averaging); 0: never.

    Returns:
        `(N, 4)` float64 half-open boxes in pixels of `image`. Their order is random: cv2 ranks them with C's `rand`.
    """
    height, width = image.shape[:2]
    factor = min(1., side / max(height, width)) if side else 1.
    small = image[..., ::-1]
    if factor < 1:
        small_size = max(1, round(width * factor)), max(1, round(height * factor))
        small = cv2.resize(small, small_size, interpolation=cv2.INTER_AREA)
    searcher = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    searcher.setBaseImage(np.ascontiguousarray(small))
    if mode == 'fast':
        searcher.switchToSelectiveSearchFast()
    else:
        searcher.switchToSelectiveSearchQuality()
    corners = np.asarray(searcher.process(), np.float64).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    return corners * np.tile([width / small.shape[1], height / small.shape[0]], 2)


def answer(request, reading, filters, options, limits):
    """The reply to one request, both as in the module's docstring."""
    try:
        image = reading.read_rgb(request['path'])
    except reading.UnreadableImage as error:
        return dict(unreadable=error.reason)
    size = image.shape[:2]
    boxes, _ = filters.whole_pixels(search(image, options['mode'], options['side']), size)
    boxes, relaxed = filters.keep_regions(boxes, size, limits, request['name'])
    return dict(size=size, boxes=boxes.tolist(), relaxed=relaxed)


def main():
    cv2.setNumThreads(1)  # as many processes as the user asked for, and no more threads
    reading = load_module(sys.argv[1], 'image_reading')
    filters = load_module(sys.argv[2], 'filters')
    options = json.loads(sys.argv[3])
    limits = filters.RegionFilter(**options['filter'])
    for line in sys.stdin:
        reply = answer(json.loads(line), reading, filters, options, limits)
        print(json.dumps(reply), flush=True)


if __name__ == '__main__':
    main()
