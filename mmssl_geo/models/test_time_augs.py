"""Test-time augmentation of instance segmentation."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseTTAModel
from mmengine.structures import InstanceData

from mmssl_geo.registry import MODELS

__all__ = ['InstanceTTAModel']


@MODELS.register_module()
class InstanceTTAModel(BaseTTAModel):
    """Merges the boxes and masks that a detector of mmdet predicts for several sizes and flips of an image.

    The predictions of all views are joined and pass through one non-maximum suppression per class; each box keeps its
    mask. mmdet's `DetTTAModel` supports boxes only.

    Args:
        nms: Config of `mmcv.ops.batched_nms`.
        max_per_img: Number of instances that are kept.
        **kwargs: Arguments of `mmengine.model.BaseTTAModel`.
    """

    def __init__(self, nms: Mapping[str, Any], max_per_img: int = 100, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.nms = dict(nms)
        self.max_per_img = max_per_img

    def merge_preds(self, data_samples_list: Sequence[Sequence[Any]]) -> list[Any]:
        """Merges the predictions of the views of each image.

        Args:
            data_samples_list: A list of mmdet's `DetDataSample` for each image, one per view.

        Returns:
            The first sample of each image with the merged `pred_instances`.
        """
        return [self._merge(samples) for samples in data_samples_list]

    def _merge(self, samples: Sequence[Any]) -> Any:  # noqa: ANN401  (a class of mmdet)
        from mmcv.ops import batched_nms

        merged = samples[0]
        instances = InstanceData.cat([_unflipped(sample) for sample in samples])
        if len(instances):
            _, keep = batched_nms(instances.bboxes, instances.scores, instances.labels, self.nms)
            instances = instances[keep[: self.max_per_img]]
        merged.pred_instances = instances
        return merged


def _unflipped(sample: Any) -> InstanceData:  # noqa: ANN401  (a class of mmdet)
    """Returns the predicted instances in the frame of the image as read."""
    instances = sample.pred_instances
    if not sample.metainfo.get('flip'):
        return instances
    direction = sample.metainfo['flip_direction']
    height, width = sample.metainfo['ori_shape'][:2]
    x1, y1, x2, y2 = instances.bboxes.unbind(-1)
    if direction in ('horizontal', 'diagonal'):
        x1, x2 = width - x2, width - x1
    if direction in ('vertical', 'diagonal'):
        y1, y2 = height - y2, height - y1
    flipped = instances.clone()
    flipped.bboxes = torch.stack([x1, y1, x2, y2], dim=-1)
    if 'masks' in instances:
        dims = dict(horizontal=(-1,), vertical=(-2,), diagonal=(-2, -1))[direction]
        flipped.masks = instances.masks.flip(dims)
    return flipped
