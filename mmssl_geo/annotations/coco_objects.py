"""Boxes and masks of a COCO annotation file, as mmdet reads them."""

import math
from collections.abc import Sequence
from typing import Any

from .coco import CocoFile
from .files import sample

MAX_ODD = 0.1
"""Share of the boxes that may reach beyond the image, or that mmdet may drop, before the file is refused."""
MAX_WITHOUT_AREA = 0.01
"""Share of the masks that may be degenerate polygons."""
MAX_MASKS = 20_000
"""Masks whose points are read: all of a smaller file, else this many, evenly spaced."""
TOLERANCE = 2.0
"""Pixels that a box or mask may reach beyond its image."""


def box_problems(coco: CocoFile) -> list[str]:
    """Checks the boxes: four finite numbers x, y, width, height in pixels, inside the image, with an area."""
    dropped = beyond = tiny = without_area = 0
    for one in coco.annotations:
        box = one['bbox']
        if not (isinstance(box, list) and len(box) == 4 and all(map(_is_finite, box))):
            return [f'annotation {one["id"]!r} has the box {box!r}, which must be four numbers: x, y, width, height']
        if box[2] < 0 or box[3] < 0:
            return [f'annotation {one["id"]!r} has the box {box!r} with a negative width or height']
        if not _is_finite(one['area']):
            return [f'annotation {one["id"]!r} has area {one["area"]!r}, which must be a number']
        x, y, width, height = box
        image = coco.images[one['image_id']]
        if max(x + width - image['width'], y + height - image['height'], -x, -y) > TOLERANCE:
            beyond += 1
        tiny += max(box) <= 1
        without_area += one['area'] <= 0 < min(width, height)
        dropped += one['area'] <= 0 or min(width, height) < 1
    count = len(coco.annotations)
    if tiny > MAX_ODD * count:
        return [
            f'{tiny} of {count} boxes are not larger than a pixel: they must be in pixels, not in '
            'fractions of the image'
        ]
    if beyond > MAX_ODD * count:
        return [
            f'{beyond} of {count} boxes reach beyond their images: they must be x, y, width, height in pixels, not two '
            'corners, and height and width of the images must be right'
        ]
    if without_area > MAX_ODD * count:
        return [f'{without_area} of {count} annotations have area 0, and mmdet drops them: set area to width * height']
    if dropped > MAX_ODD * count:
        return [f'{dropped} of {count} annotations have no area or are smaller than a pixel, and mmdet drops them']
    return []


def mask_problems(coco: CocoFile) -> list[str]:
    """Checks the masks: polygons of at least three points, or run-length encodings of the image's size."""
    annotations = coco.annotations
    without = sum(not one.get('segmentation') for one in annotations)
    if without:
        return [
            f'{without} of {len(annotations)} annotations have no segmentation, which the config reads: use a config '
            'without masks (faster-rcnn_*), or add masks'
        ]
    annotations = sample(annotations, MAX_MASKS)
    degenerate = fractions = 0
    for one in annotations:
        mask = one['segmentation']
        image = coco.images[one['image_id']]
        if isinstance(mask, dict):
            problem = _encoding_problem(mask, (image['height'], image['width']))
        else:
            problem = _polygons_problem(mask)
            if not problem:
                degenerate += not any(len(part) >= 6 for part in mask)
                fractions += max(map(max, mask)) <= 1 < min(one['bbox'][2:])
        if problem:
            return [f'annotation {one["id"]!r} has a segmentation that {problem}']
    if fractions > MAX_ODD * len(annotations):
        return [
            f'{fractions} of {len(annotations)} masks lie in the first pixel: polygons must be in pixels, not in '
            'fractions of the image'
        ]
    if degenerate > MAX_WITHOUT_AREA * len(annotations):
        return [f'{degenerate} of {len(annotations)} masks have less than three points, and mmdet ignores them']
    outside = sum(isinstance(one['segmentation'], list) and _is_outside(one) for one in annotations)
    if outside > MAX_ODD * len(annotations):
        return [
            f'{outside} of {len(annotations)} masks do not lie in their boxes: polygons must be x1, y1, x2, y2, ...'
        ]
    return []


def _encoding_problem(mask: dict[str, Any], size: tuple[int, int]) -> str:
    if 'counts' not in mask or 'size' not in mask:
        return "is a run-length encoding without 'counts' or 'size'"
    if list(mask['size']) != list(size):
        return f'is encoded for height and width {list(mask["size"])}, but the image has {list(size)}'
    counts = mask['counts']
    if isinstance(counts, list) and sum(counts) != size[0] * size[1]:
        return f'encodes {sum(counts)} of {size[0] * size[1]} pixels'
    return '' if isinstance(counts, list | str) else "has 'counts' that are neither a list nor a text"


def _polygons_problem(mask: Any) -> str:  # noqa: ANN401  (any value of JSON)
    if not isinstance(mask, list):
        return f'is a {type(mask).__name__}, not a list of polygons or a run-length encoding'
    if all(map(_is_finite, mask)):
        return 'is one flat list: write a list of polygons, [[x1, y1, x2, y2, ...]]'
    for part in mask:
        if not isinstance(part, list) or not part or not all(map(_is_finite, part)):
            return 'is not a list of polygons [x1, y1, x2, y2, ...]'
        if len(part) % 2:
            return f'has a polygon of {len(part)} numbers, which must be pairs'
    return ''


def _is_outside(annotation: dict[str, Any]) -> bool:
    """Returns whether the polygons and the box of an annotation do not overlap."""
    x, y, width, height = annotation['bbox']
    xs = [value for part in annotation['segmentation'] for value in part[::2]]
    ys = [value for part in annotation['segmentation'] for value in part[1::2]]
    return not (_overlap(xs, x, x + width) and _overlap(ys, y, y + height))


def _overlap(values: Sequence[float], low: float, high: float) -> bool:
    return min(values) <= high + TOLERANCE and max(values) >= low - TOLERANCE


def _is_finite(value: Any) -> bool:  # noqa: ANN401  (any value of JSON)
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
