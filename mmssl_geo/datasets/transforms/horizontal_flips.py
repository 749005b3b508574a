"""Flips every view by its own chance."""
from dataclasses import replace

import cv2
from mmcv.transforms import BaseTransform

from mmssl_geo.datasets.pipeline import Stage
from mmssl_geo.registry import TRANSFORMS

from .view_random import sample_rng


@TRANSFORMS.register_module()
class RandomHorizontalFlips(BaseTransform):
    """Flips each view left to right with a probability, and notes it in its record (DINO).

    Required keys: `views`, `seed`, `epoch`, `sample_idx`. Modified key: `views`.

    Args:
        prob: probability of each view's flip.
    """
    stage = Stage.FLIP

    def __init__(self, prob=0.5):
        self.prob = prob

    def transform(self, results):
        chances = sample_rng(results, 'flip').random(len(results['views']))
        for number, ((view, record), chance) in enumerate(zip(results['views'], chances, strict=True)):
            if chance < self.prob:
                # a record's flip comes before its turn; to flip after k turns is to flip and to turn by -k
                record = replace(record, flipped=not record.flipped, turn=-record.turn % 4)
                results['views'][number] = (cv2.flip(view, 1), record)
        return results
