"""Packs views and records into tensors that torch's `default_collate` batches."""
import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmssl_geo.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackViews(BaseTransform):
    """Last step of a multi-crop pipeline.

    Required keys: `views`, `img_path`, `sample_idx`.

    Returns a new dict: `inputs` = `dict(global=(G, 3, S, S) uint8, local=(L, 3, s, s) uint8)`,
    `crop_boxes_src` `(V, 4)` float32, `turns` `(V,)` int64, `flipped` `(V,)` bool (global views first), `img_path`,
    `sample_idx`.
    """
    comes_last = True  # what it returns has no views any more

    def transform(self, results):
        views, records = zip(*results['views'], strict=True)
        arrays = [torch.from_numpy(np.array(view)).permute(2, 0, 1) for view in views]
        by_kind = {
            kind: [array for array, record in zip(arrays, records, strict=True) if record.is_global == is_global]
            for kind, is_global in (('global', True), ('local', False))}
        return dict(
            inputs={kind: torch.stack(group) if group else torch.empty(0, 3, 0, 0, dtype=torch.uint8)
                    for kind, group in by_kind.items()},
            crop_boxes_src=torch.tensor([record.crop_box_src for record in records], dtype=torch.float32),
            turns=torch.tensor([record.turn for record in records]),
            flipped=torch.tensor([record.flipped for record in records]),
            img_path=results['img_path'],
            sample_idx=results['sample_idx'])
