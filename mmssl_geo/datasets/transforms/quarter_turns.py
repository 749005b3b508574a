"""Turns every view by its own random quarter turn."""
from dataclasses import replace

import cv2
from mmcv.transforms import BaseTransform

from mmssl_geo.datasets.pipeline import Stage
from mmssl_geo.registry import TRANSFORMS

from .view_random import sample_rng

_ROTATE = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}


@TRANSFORMS.register_module()
class RandomQuarterTurns(BaseTransform):
    """Turns each view counter-clockwise by 0 to 3 quarters, alike likely, and notes it in its record (GTSA).

    Required keys: `views`, `seed`, `epoch`, `sample_idx`. Modified key: `views`.
    """
    stage = Stage.TURN

    def transform(self, results):
        views = results['views']
        turns = sample_rng(results, 'turn').integers(4, size=len(views)).tolist()
        results['views'] = [
            (cv2.rotate(view, _ROTATE[turn]) if turn else view, replace(record, turn=(record.turn + turn) % 4))
            for (view, record), turn in zip(views, turns, strict=True)]
        return results
