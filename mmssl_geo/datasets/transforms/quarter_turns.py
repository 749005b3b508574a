"""Turns every view by its own random quarter turn."""
from dataclasses import replace

from mmcv.transforms import BaseTransform
from PIL import Image

from mmssl_geo.registry import TRANSFORMS

from .view_random import view_rng

_TRANSPOSE = {1: Image.Transpose.ROTATE_90, 2: Image.Transpose.ROTATE_180, 3: Image.Transpose.ROTATE_270}


@TRANSFORMS.register_module()
class RandomQuarterTurns(BaseTransform):
    """Turns each view counter-clockwise by 0 to 3 quarters, alike likely, and notes it in its record (GTSA).

    Required keys: `views`, `seed`, `epoch`, `sample_idx`. Modified key: `views`.
    """

    def transform(self, results):
        for number, (view, record) in enumerate(results['views']):
            turn = (record.turn + int(view_rng(results, 'turn', number).integers(4))) % 4
            quarter = (turn - record.turn) % 4
            results['views'][number] = (
                view.transpose(_TRANSPOSE[quarter]) if quarter else view, replace(record, turn=turn))
        return results
