"""Packs views and records into tensors that torch's `default_collate` batches."""
import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmssl_geo.datasets.pipeline import Stage
from mmssl_geo.registry import TRANSFORMS
from mmssl_geo.structures import stack_records


@TRANSFORMS.register_module()
class PackViews(BaseTransform):
    """Last step of a multi-crop pipeline.

    Required keys: `views`, `img_path`, `sample_idx`. Optional key: `photometrics`.

    Returns a new dict: `inputs` = `dict(global=(G, 3, S, S) uint8, local=(L, 3, s, s) uint8)`, the fields of
    `StackedRecords`, `img_path`, `sample_idx`; `photometrics` `(V, 11)` float32 if they are left to the device.
    """
    stage = Stage.PACK

    def transform(self, results):
        packed = dict(
            inputs={
                kind: _stack([view for view, record in results['views'] if record.is_global == is_global])
                for kind, is_global in (('global', True), ('local', False))},
            **stack_records([record for _, record in results['views']]),
            img_path=results['img_path'],
            sample_idx=results['sample_idx'])
        if 'photometrics' in results:
            packed['photometrics'] = torch.from_numpy(results['photometrics'])
        return packed


def _stack(views):
    """`(N, 3, H, W)` of arrays `(H, W, 3)`; `(0, 3, 0, 0)` of none."""
    height, width = views[0].shape[:2] if views else (0, 0)
    stacked = np.empty((len(views), 3, height, width), np.uint8)
    for view, channels in zip(views, stacked, strict=True):
        cv2.split(view, tuple(channels))  # writes into the stack, several times as fast as numpy's transpose
    return torch.from_numpy(stacked)
