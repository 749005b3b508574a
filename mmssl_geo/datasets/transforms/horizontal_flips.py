"""Flips every view by its own chance."""
from dataclasses import replace

from mmcv.transforms import BaseTransform
from PIL import Image

from mmssl_geo.registry import TRANSFORMS

from .view_random import view_rng


@TRANSFORMS.register_module()
class RandomHorizontalFlips(BaseTransform):
    """Flips each view left to right with a probability, and notes it in its record (DINO).

    Required keys: `views`, `seed`, `epoch`, `sample_idx`. Modified key: `views`.

    Args:
        prob: probability of each view's flip.
    """

    def __init__(self, prob=0.5):
        self.prob = prob

    def transform(self, results):
        for number, (view, record) in enumerate(results['views']):
            if view_rng(results, 'flip', number).random() < self.prob:
                # a record's flip comes before its turn; to flip after k turns is to flip and to turn by -k
                record = replace(record, flipped=not record.flipped, turn=-record.turn % 4)
                results['views'][number] = (view.transpose(Image.Transpose.FLIP_LEFT_RIGHT), record)
        return results
