"""Geometric augmentations of multi-crop views, which update the views' records."""

from dataclasses import replace

import cv2
from mmcv.transforms import BaseTransform

from mmssl_geo.datasets.pipeline import Stage
from mmssl_geo.registry import TRANSFORMS
from mmssl_geo.utils.checks import check_fractions

from .random_streams import sample_rng

_ROTATE = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}


@TRANSFORMS.register_module()
class RandomHorizontalFlips(BaseTransform):
    """Flips each view left to right with a probability, and notes it in its record (DINO).

    Required keys: `views`, `seed`, `epoch`, `sample_idx`. Modified key: `views`.

    Args:
        prob: Probability of the flip of each view.
    """

    stage = Stage.FLIP

    def __init__(self, prob: float = 0.5) -> None:
        check_fractions('RandomHorizontalFlips', prob=prob)
        self.prob = prob

    def transform(self, results: dict) -> dict:
        uniform = sample_rng(results, 'flip').random(len(results['views']))
        for number, ((view, record), value) in enumerate(zip(results['views'], uniform, strict=True)):
            if value < self.prob:
                # a record's flip comes before its turn; a flip after k turns equals a flip and then -k turns
                record = replace(record, flipped=not record.flipped, turn=-record.turn % 4)
                results['views'][number] = (cv2.flip(view, 1), record)
        return results


@TRANSFORMS.register_module()
class RandomQuarterTurns(BaseTransform):
    """Rotates each view by 0 to 3 quarter turns, sampled uniformly, and notes them in its record (GTSA).

    Required keys: `views`, `seed`, `epoch`, `sample_idx`. Modified key: `views`.
    """

    stage = Stage.TURN

    def transform(self, results: dict) -> dict:
        views = results['views']
        turns = sample_rng(results, 'turn').integers(4, size=len(views)).tolist()
        results['views'] = [
            (cv2.rotate(view, _ROTATE[turn]) if turn else view, replace(record, turn=(record.turn + turn) % 4))
            for (view, record), turn in zip(views, turns, strict=True)
        ]
        return results
